// One TCP port for every protocol: looks at the first bytes of a connection and hands the socket on. It speaks no protocol itself.
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** The start of an HTTP/2 connection preface (RFC 9113, 3.4); no HTTP/1.1 method begins like this. */
const PREFACE = Buffer.from("PRI * HTTP/2.0", "latin1");

export interface OnePortListenerOptions {
  host: string;
  port: number;
  connectionsMax: number;
  /** A connection that does not show its protocol in this time is closed. */
  peekTimeoutMs: number;
  onHttp1(socket: Socket): void;
  onHttp2(socket: Socket): void;
}

function ignoreError(): void {
  // Of a connection: it was reset; its close event follows, and the protocols listen to that.
}

/** Accepts connections and tells HTTP/1.1 from HTTP/2. */
export class OnePortListener {
  readonly #options: OnePortListenerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(options: OnePortListenerOptions) {
    this.#options = options;
    // Not half-open: a client that ends its side is gone. It is all that a killed client says, and else its held
    // waits would stay until their timeouts.
    this.#server = createServer({ allowHalfOpen: false, noDelay: true }, (socket) => this.#accept(socket));
    this.#server.maxConnections = options.connectionsMax;
  }

  /** Binds the port. Rejects with the error of the system, for instance EADDRINUSE. */
  listen(): Promise<AddressInfo> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port, backlog: 1024 }, () => {
        this.#server.off("error", reject);
        // From here on it is a connection that could not be accepted (no file descriptor left): the others go on.
        this.#server.on("error", ignoreError);
        resolve(this.address());
      });
    });
  }

  /** Where it listens; only after `listen`. */
  address(): AddressInfo {
    return this.#server.address() as AddressInfo;
  }

  /** Takes no new connections; resolves when the last one is closed. Stopping twice, or before listening, is fine. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  /** Cuts whatever is still open. */
  destroyConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", ignoreError);
    socket.setTimeout(this.#options.peekTimeoutMs, () => socket.destroy());
    this.#peek(socket, null);
  }

  /** `held` is a part of the preface that came before. It is not unshifted meanwhile: that would make the socket readable again at once, in a loop. */
  #peek(socket: Socket, held: Buffer | null): void {
    socket.once("readable", () => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) {
        // The peer ended its side before its protocol was known.
        socket.destroy();
        return;
      }
      const head = held === null ? chunk : Buffer.concat([held, chunk]);
      const compared = Math.min(head.length, PREFACE.length);
      const looksLikeHttp2 = PREFACE.compare(head, 0, compared, 0, compared) === 0;
      if (looksLikeHttp2 && compared < PREFACE.length) {
        this.#peek(socket, head);
        return;
      }
      socket.setTimeout(0);
      socket.removeAllListeners("timeout");
      // No resume() after this: http2 reads the socket's handle itself and takes what was unshifted.
      socket.unshift(head);
      if (looksLikeHttp2) this.#options.onHttp2(socket);
      else this.#options.onHttp1(socket);
    });
  }
}
