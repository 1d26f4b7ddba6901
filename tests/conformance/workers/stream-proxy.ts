// A network between a worker and its server that can be taken away: it passes TCP connections on, drops all of them, and
// takes none until it is mended.
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Made by openProxy. */
export class StreamProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #refused = 0;
  #serverPort: number;

  constructor(serverPort: number) {
    this.#serverPort = serverPort;
    this.#server = createServer((near) => this.#join(near, this.#serverPort));
  }

  get port(): number {
    const address = this.#server.address();
    if (typeof address !== "object" || address === null) throw new Error("the proxy does not listen");
    return address.port;
  }

  /** How many connections were refused since the cut. */
  get refused(): number {
    return this.#refused;
  }

  async listen(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  /** The partition: every connection is dropped. */
  cut(): void {
    this.#isCut = true;
    this.#refused = 0;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  /** From now on it leads to another server; what there is of connections is dropped. */
  leadTo(serverPort: number): void {
    this.#serverPort = serverPort;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(near: Socket, serverPort: number): void {
    if (this.#isCut) {
      this.#refused++;
      near.on("error", () => {});
      near.resetAndDestroy();
      return;
    }
    const far = connect(serverPort, "127.0.0.1");
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {}); // its close follows
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }
}

/** A proxy before the server's port that listens on a port of its own. */
export async function openProxy(serverPort: number): Promise<StreamProxy> {
  return await new StreamProxy(serverPort).listen();
}
