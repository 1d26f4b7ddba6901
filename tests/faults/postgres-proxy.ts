// A network between Belay and its database that tests may take away at the worst moment: right before a COMMIT, with it on its
// way, or when the database has committed and nobody was told. And an address that can move to another server, as after a
// failover. It reads the protocol without encryption.
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { CommitFinder, isNotification, MessageReader, saysCommitted } from "./postgres-messages.ts";

/**
 * Where a commit loses its connection. `before`: COMMIT never reaches the server. `in`: it is sent, and the connection ends at
 * once. `after`: the server has committed, and its answer is lost.
 */
export type CommitCut = "before" | "in" | "after";

interface Link {
  near: Socket;
  far: Socket;
  /** The server's answer to this link's COMMIT is to be lost. */
  losesAnswer: boolean;
}

/** Made by PostgresProxy.open. */
export class PostgresProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #target: number;
  /** Connections that clients have made. */
  connections = 0;
  #state: "open" | "refusing" | "mute" = "open";
  /** What the server pushes to those that LISTEN is lost; nothing else is. */
  losesNotifications = false;
  notificationsLost = 0;
  #cut: { where: CommitCut; left: number; done: () => void } | null = null;
  #break: { every: number; seen: number; left: number; done: () => void } | null = null;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((near) => this.#join(near));
  }

  /** Opens a proxy to the server at a loopback port. */
  static async open(target: number): Promise<PostgresProxy> {
    const proxy = new PostgresProxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (typeof address !== "object" || address === null) throw new Error("the proxy does not listen");
    return address.port;
  }

  /** The connection string of a database through the proxy. */
  url(database: string, user = "postgres"): string {
    return `postgres://${user}@127.0.0.1:${this.port}/${database}`;
  }

  /** The next commits lose their connection; resolves when `count` have. */
  async cutCommits(where: CommitCut, count = 1): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#cut = { where, left: count, done: resolve };
    await promise;
  }

  /** Every connection is reset at each `count`th message of a client from now on; resolves when that was `times` times. */
  async cutAfter(count: number, times = 1): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#break = { every: count, seen: 0, left: times, done: resolve };
    await promise;
  }

  /** Resets every connection; new ones come through. */
  cutAll(): void {
    for (const link of this.#links) reset(link);
  }

  /** Resets every connection, and each new one. */
  refuse(): void {
    this.#state = "refusing";
    this.cutAll();
  }

  /** Connections stay, new ones come, and nothing gets through until `mend`, when it all arrives late. */
  mute(): void {
    this.#state = "mute";
    for (const { near, far } of this.#links) {
      near.pause();
      far.pause();
    }
  }

  mend(): void {
    this.#state = "open";
    for (const { near, far } of this.#links) {
      near.resume();
      far.resume();
    }
  }

  /** Resets every connection; new ones go to another server. */
  retarget(port: number): void {
    this.#target = port;
    this.cutAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.refuse();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(near: Socket): void {
    this.connections++;
    near.on("error", () => {}); // its close follows
    if (this.#state === "refusing") {
      near.resetAndDestroy();
      return;
    }
    const far = connect(this.#target, "127.0.0.1");
    far.on("error", () => {});
    const link: Link = { near, far, losesAnswer: false };
    this.#links.add(link);
    this.#passClient(link);
    this.#passServer(link);
    for (const [socket, other] of [[near, far] as const, [far, near] as const]) {
      socket.setNoDelay(true);
      socket.on("close", () => {
        this.#links.delete(link);
        other.destroy();
      });
      if (this.#state === "mute") socket.pause();
    }
  }

  #passClient(link: Link): void {
    const messages = new MessageReader("client");
    const commits = new CommitFinder();
    link.near.on("data", (chunk) => {
      let isToEnd = false;
      for (const message of messages.push(chunk)) {
        if (this.#isCutHere()) {
          this.cutAll();
          return;
        }
        const cut = commits.isCommit(message) ? this.#takeCut() : null;
        if (cut === "before") {
          reset(link);
          return;
        }
        if (cut === "in") isToEnd = true;
        if (cut === "after") link.losesAnswer = true;
        link.far.write(message);
      }
      if (!isToEnd) return;
      link.far.end(); // what was written arrives
      link.near.resetAndDestroy();
    });
  }

  #passServer(link: Link): void {
    const messages = new MessageReader("server");
    link.far.on("data", (chunk) => {
      for (const message of messages.push(chunk)) {
        if (link.losesAnswer && saysCommitted(message)) {
          reset(link);
          return;
        }
        if (this.losesNotifications && isNotification(message)) this.notificationsLost++;
        else link.near.write(message);
      }
    });
  }

  #isCutHere(): boolean {
    const at = this.#break;
    if (at === null || ++at.seen % at.every !== 0) return false;
    if (--at.left === 0) {
      this.#break = null;
      at.done();
    }
    return true;
  }

  #takeCut(): CommitCut | null {
    const cut = this.#cut;
    if (cut === null) return null;
    cut.left--;
    if (cut.left === 0) {
      this.#cut = null;
      cut.done();
    }
    return cut.where;
  }
}

function reset({ near, far }: Link): void {
  near.resetAndDestroy();
  far.resetAndDestroy();
}
