// One TCP port for every protocol: looks at the first bytes of a connection, undoes TLS where it is spoken, and hands
// the socket on. It speaks no protocol itself, but for the one line to a client that must use TLS and does not.
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Logger } from "../base/logger.ts";
import { startTimer, type Timer } from "../base/timers.ts";
import { isLoopbackHost } from "./config.ts";
import type { ServerTls } from "./tls/server-tls.ts";
import type { TlsAcceptor } from "./tls/tls-acceptor.ts";
import type { AlpnProtocol } from "./tls/tls-options.ts";

/** The start of an HTTP/2 connection preface (RFC 9113, 3.4); no HTTP/1.1 method begins like this. */
const PREFACE = Buffer.from("PRI * HTTP/2.0", "latin1");

/** The first byte of a TLS record that holds a handshake (RFC 8446, 5.1); no HTTP begins with it. */
const HANDSHAKE_RECORD = 0x16;

export interface OnePortListenerOptions {
  host: string;
  port: number;
  connectionsMax: number;
  /** A connection that does not show its protocol in this time, its TLS handshake included, is closed. */
  peekTimeoutMs: number;
  /** Gives the port a certificate. Without it a client that begins with TLS is closed. */
  tls?: ServerTls | undefined;
  /** What a TLS client gets that offers HTTP/1.1 and HTTP/2; default what `tls` says, else `http/1.1`. */
  alpnPreference?: AlpnProtocol | undefined;
  /** With `tls`: takes cleartext too. Default what `tls` says, else whether the host is a loopback address. */
  cleartext?: boolean | undefined;
  /** Told, at level debug, why connections were closed. */
  logger?: Logger | undefined;
  /** The socket is a TLSSocket where TLS is spoken. */
  onHttp1(socket: Socket): void;
  onHttp2(socket: Socket): void;
}

const TLS_ONLY = "this port takes TLS only: use https://\n";

const tlsOnlyReply: string = [
  "HTTP/1.1 400 Bad Request",
  "content-type: text/plain; charset=utf-8",
  `content-length: ${TLS_ONLY.length}`,
  "cache-control: no-store",
  "connection: close",
  "",
  TLS_ONLY,
].join("\r\n");

function ignoreError(): void {
  // Of a connection: it was reset; its close event follows, and the protocols listen to that.
}

/** A connection whose protocol is not known yet. */
interface Arrival {
  /** The socket that was accepted, or what TLS has made of it. */
  socket: Socket;
  isTls: boolean;
  /** What ALPN has settled; undefined: the bytes tell. */
  agreed: AlpnProtocol | undefined;
  deadline: Timer;
}

/** Accepts connections and tells TLS, HTTP/1.1 and HTTP/2. */
export class OnePortListener {
  readonly #options: OnePortListenerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #takesCleartext: boolean;
  #tls: TlsAcceptor | undefined;

  constructor(options: OnePortListenerOptions) {
    this.#options = options;
    const { tls, host } = options;
    this.#takesCleartext =
      tls === undefined || (options.cleartext ?? tls.options.cleartext ?? isLoopbackHost(host));
    // Not half-open: a client that ends its side is gone. It is all that a killed client says, and else its held
    // waits would stay until their timeouts.
    this.#server = createServer({ allowHalfOpen: false, noDelay: true }, (socket) => this.#accept(socket));
    this.#server.maxConnections = options.connectionsMax;
  }

  /**
   * Binds the port. Rejects with the error of the system, for instance EADDRINUSE, and with a CertificateError when
   * the certificate cannot be used.
   */
  async listen(): Promise<AddressInfo> {
    const { host, port, tls, alpnPreference } = this.#options;
    this.#tls = await tls?.acceptor(alpnPreference);
    return await new Promise((resolve, reject) => {
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
    // From accepting to knowing the protocol, with all that TLS needs: bytes that trickle do not prolong it.
    const deadline = startTimer(this.#options.peekTimeoutMs, () => socket.destroy());
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      deadline.cancel();
    });
    socket.on("error", ignoreError);
    this.#peek({ socket, isTls: false, agreed: undefined, deadline }, null);
  }

  /** `held` is a part of the preface that came before. It is not unshifted meanwhile: that would make the socket readable again at once, in a loop. */
  #peek(arrival: Arrival, held: Buffer | null): void {
    const { socket } = arrival;
    socket.once("readable", () => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) {
        // The peer ended its side before its protocol was known.
        socket.destroy();
        return;
      }
      const head = held === null ? chunk : Buffer.concat([held, chunk]);
      if (head[0] === HANDSHAKE_RECORD && !arrival.isTls) {
        this.#secure(arrival, head);
        return;
      }
      const compared = Math.min(head.length, PREFACE.length);
      const looksLikeHttp2 = PREFACE.compare(head, 0, compared, 0, compared) === 0;
      if (looksLikeHttp2 && compared < PREFACE.length && arrival.agreed === undefined) {
        this.#peek(arrival, head);
        return;
      }
      this.#handOn(arrival, head, arrival.agreed ?? (looksLikeHttp2 ? "h2" : "http/1.1"));
    });
  }

  #secure({ socket, deadline }: Arrival, head: Buffer): void {
    if (!this.#tls) {
      this.#closed(socket, "the client speaks TLS, and no certificate is configured");
      return;
    }
    socket.unshift(head);
    this.#tls.accept(socket, {
      onSecure: (secure) => {
        secure.on("error", ignoreError);
        const { alpnProtocol } = secure;
        const agreed = alpnProtocol === "h2" || alpnProtocol === "http/1.1" ? alpnProtocol : undefined;
        // The deadline still runs: a client that says nothing after its handshake is no better than a silent one.
        this.#peek({ socket: secure, isTls: true, agreed, deadline }, null);
      },
      onFailure: (error) => this.#closed(socket, `the TLS handshake failed: ${error.message}`),
    });
  }

  #handOn({ socket, isTls, agreed, deadline }: Arrival, head: Buffer, protocol: AlpnProtocol): void {
    if (!isTls && !this.#takesCleartext) {
      this.#refuseCleartext(socket, protocol);
      return;
    }
    deadline.cancel();
    // No resume() after this: http2 reads the socket's handle itself and takes what was unshifted.
    socket.unshift(head);
    if (protocol === "http/1.1") {
      this.#options.onHttp1(socket);
      return;
    }
    // node:http2 answers 403 to a TLS client without ALPN (RFC 9113 asks for it); its preface said as much.
    if (isTls && agreed === undefined) (socket as TLSSocket).alpnProtocol = "h2";
    this.#options.onHttp2(socket);
  }

  #refuseCleartext(socket: Socket, protocol: AlpnProtocol): void {
    if (protocol === "h2") {
      this.#closed(socket, "the client speaks cleartext HTTP/2, and the port takes TLS only");
      return;
    }
    this.#options.logger?.debug({ client: socket.remoteAddress }, "cleartext HTTP/1.1 was refused");
    // Read on until the client has closed, within the deadline: closing over unread bytes would reset the connection,
    // and the reply with it.
    socket.resume();
    socket.end(tlsOnlyReply);
  }

  #closed(socket: Socket, why: string): void {
    this.#options.logger?.debug({ client: socket.remoteAddress }, `a connection was closed: ${why}`);
    socket.destroy();
  }
}
