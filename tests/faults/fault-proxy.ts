// A network between a worker and its server that tests may take away: cut, so that every connection is reset and none comes
// through; or mute, so that all stay and nothing gets through until it is mended, when it all arrives late.
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Made by FaultProxy.open. */
export class FaultProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #state: "open" | "cut" | "mute" = "open";

  private constructor(serverPort: number) {
    this.#server = createServer((near) => this.#join(near, serverPort));
  }

  static async open(serverPort: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(serverPort);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** `host:port`, for the worker. */
  get address(): string {
    const address = this.#server.address();
    if (typeof address !== "object" || address === null) throw new Error("the proxy does not listen");
    return `127.0.0.1:${address.port}`;
  }

  cut(): void {
    this.#state = "cut";
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  mute(): void {
    this.#state = "mute";
    for (const socket of this.#sockets) socket.pause();
  }

  mend(): void {
    this.#state = "open";
    for (const socket of this.#sockets) socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(near: Socket, serverPort: number): void {
    near.on("error", () => {}); // its close follows
    if (this.#state === "cut") {
      near.resetAndDestroy();
      return;
    }
    const far = connect(serverPort, "127.0.0.1");
    far.on("error", () => {});
    this.#pass(near, far);
    this.#pass(far, near);
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on("data", (chunk) => to.write(chunk));
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    if (this.#state === "mute") from.pause();
  }
}
