// What stands before several nodes in production: one address, whose connections go to the nodes in turn, past those that do
// not listen. A connection stays where it is.
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Made by NodeBalancer.open. */
export class NodeBalancer implements AsyncDisposable {
  readonly #ports: readonly number[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #next = 0;

  private constructor(ports: readonly number[]) {
    this.#ports = ports;
    this.#server = createServer((near) => this.#join(near, this.#ports.length));
  }

  static async open(ports: readonly number[]): Promise<NodeBalancer> {
    const balancer = new NodeBalancer(ports);
    balancer.#server.listen(0, "127.0.0.1");
    await once(balancer.#server, "listening");
    return balancer;
  }

  get port(): number {
    const address = this.#server.address();
    if (typeof address !== "object" || address === null) throw new Error("the balancer does not listen");
    return address.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  /** Tries so many nodes. */
  #join(near: Socket, left: number): void {
    if (left === 0) {
      near.resetAndDestroy();
      return;
    }
    const port = this.#ports[this.#next++ % this.#ports.length] ?? 0;
    const far = connect(port, "127.0.0.1");
    far.once("connect", () => {
      far.off("error", onRefused);
      this.#pass(near, far);
      this.#pass(far, near);
    });
    const onRefused = (): void => this.#join(near, left - 1);
    far.once("error", onRefused);
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on("error", () => {}); // its close follows
    from.on("data", (chunk) => to.write(chunk));
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
