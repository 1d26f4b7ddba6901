// Several nodes on one database, each a process of its own, and remote workers that reach them through one address. Without a
// database: one node on SQLite.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../../src/client/client.ts";
import { eventually } from "../../src/testing/eventually.ts";
import type { Trouble } from "./chaos-faults.ts";
import { NodeBalancer } from "./node-balancer.ts";
import { isAlive } from "./outside.ts";
import { freePort, ServerProcess, type ServerProcessOptions } from "./server-process.ts";
import { readTraces } from "./traces.ts";
import { WorkerProcess } from "./worker-process.ts";
import type { WorkerProgramOptions } from "./worker-program.ts";

export interface ClusterOptions {
  /** The database; absent: one node on SQLite. */
  store?: string;
  nodes?: number;
  workers?: number;
  slots?: number;
  leaseMs?: number;
  /** Of the last node. */
  lastNodeEnv?: Readonly<Record<string, string>>;
}

/** How a node sheds load is tested elsewhere: where several processes share a small machine, they are all late at times. */
const CONFIG = "limits:\n  loopDelayMaxMs: 60000\n";

/** Enough for some starts on a busy machine. */
const AGAIN_MS = 30_000;

/** One node: the processes that it is one after the other, on one port and one data folder. */
export class ClusterNode {
  readonly name: string;
  readonly #options: ServerProcessOptions;
  #process: ServerProcess | undefined;

  constructor(name: string, options: ServerProcessOptions) {
    this.name = name;
    this.#options = options;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get port(): number {
    return this.#options.port;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** What its processes have logged. */
  output = "";

  async start(): Promise<void> {
    this.#process = await ServerProcess.start(this.#options);
  }

  /** As a service manager does it: again, where the database has just gone away. */
  async startAgain(): Promise<void> {
    await eventually(`${this.name} starts again`, () => this.start().then(() => true), {
      timeoutMs: AGAIN_MS,
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Resolves with its exit code when it is gone; null for one that was killed. */
  async stop(signal: "SIGTERM" | "SIGKILL"): Promise<number | null> {
    this.signal(signal);
    const exit = await this.#process?.exited();
    this.output += this.#process?.output ?? "";
    return exit?.code ?? null;
  }

  async end(): Promise<void> {
    this.signal("SIGCONT");
    await this.stop("SIGKILL");
  }
}

/** One worker: whatever ends it (its own watchdog, too, when a deaf handler outlives the lease), it is started again. */
export class ClusterWorker {
  readonly #options: WorkerProgramOptions;
  readonly #lives: Promise<void>;
  #process: WorkerProcess;
  #isOver = false;
  output = "";

  private constructor(options: WorkerProgramOptions, process: WorkerProcess) {
    this.#options = options;
    this.#process = process;
    this.#lives = this.#live();
  }

  /** Resolves when it serves. */
  static async start(options: WorkerProgramOptions): Promise<ClusterWorker> {
    return new ClusterWorker(options, await WorkerProcess.start(options));
  }

  /** Resolves when it is gone; another one of its name takes its place. */
  async kill(): Promise<void> {
    const process = this.#process;
    process.kill("SIGKILL");
    await process.exited;
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.kill();
    await this.#lives;
  }

  async #live(): Promise<void> {
    for (;;) {
      await this.#process.exited;
      this.output += this.#process.output;
      if (this.#isOver) return;
      this.#process = WorkerProcess.spawn(this.#options);
    }
  }
}

/** Made by Cluster.start. Disposing it kills every process of it. */
export class Cluster implements AsyncDisposable {
  readonly folder: string;
  readonly nodes: readonly ClusterNode[];
  readonly workers: ClusterWorker[] = [];
  /** What befell the nodes and the workers: wall clock. */
  readonly troubles: Trouble[] = [];
  readonly #balancer: NodeBalancer;
  readonly #options: ClusterOptions;

  private constructor(
    folder: string,
    nodes: readonly ClusterNode[],
    balancer: NodeBalancer,
    options: ClusterOptions,
  ) {
    this.folder = folder;
    this.nodes = nodes;
    this.#balancer = balancer;
    this.#options = options;
  }

  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const { store, nodes: count = store === undefined ? 1 : 3, workers = 2, lastNodeEnv } = options;
    const folder = mkdtempSync(join(tmpdir(), "belay-cluster-"));
    mkdirSync(join(folder, "traces"));
    const config = join(folder, "belay.yaml");
    writeFileSync(config, CONFIG);
    const nodes: ClusterNode[] = [];
    for (let index = 0; index < count; index++) {
      const port = await freePort();
      const data = join(folder, `data-${index}`);
      nodes.push(
        new ClusterNode(`n${index}`, {
          ...{ port, data, slots: 1, config },
          ...(store !== undefined && { store }),
          ...(lastNodeEnv && index === count - 1 && { env: lastNodeEnv }),
        }),
      );
    }
    // The first one brings the database to its schema.
    await nodes[0]?.start();
    await Promise.all(nodes.slice(1).map((node) => node.start()));
    const balancer = await NodeBalancer.open(nodes.map(({ port }) => port));
    const cluster = new Cluster(folder, nodes, balancer, options);
    for (let index = 0; index < workers; index++)
      cluster.workers.push(await ClusterWorker.start(cluster.#workerOptions(`w${index}`)));
    return cluster;
  }

  get addresses(): string[] {
    return this.nodes.map(({ address }) => address);
  }

  /** One address for all nodes. */
  get address(): string {
    return `127.0.0.1:${this.#balancer.port}`;
  }

  get traces(): string {
    return join(this.folder, "traces");
  }

  #workerOptions(name: string): WorkerProgramOptions {
    const { slots = 8, leaseMs = 3000 } = this.#options;
    const processFolder = join(this.folder, `processes-${name}`);
    return { server: this.address, name, slots, leaseMs, traces: this.traces, processFolder };
  }

  /** Notes when a trouble began and when it was over. */
  async trouble(who: string, what: string, happens: () => Promise<unknown>): Promise<void> {
    const fromMs = Date.now();
    await happens();
    this.troubles.push({ who, what, fromMs, toMs: Date.now() });
  }

  /** Every node answers. */
  async untilServing(): Promise<void> {
    for (const { address, name } of this.nodes) {
      using client = connect(address);
      await eventually(`${name} answers`, async () => (await client.workers()).length >= 0);
    }
  }

  get output(): string {
    return [...this.nodes, ...this.workers].map(({ output }) => output).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.end()));
    await Promise.all(this.nodes.map((node) => node.end()));
    await this.#balancer[Symbol.asyncDispose]();
    const pids = readTraces(this.traces).flatMap((trace) => trace.pids);
    await eventually("no command is left", () => !pids.some(isAlive));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
