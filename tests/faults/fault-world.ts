// A server and its remote workers, each a process of its own, in a folder of their own.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BelayClient, connect, type Operation } from "../../src/client/client.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { isAlive, stateName } from "./outside.ts";
import { freePort, ServerProcess } from "./server-process.ts";
import { readTraces, type Trace } from "./traces.ts";
import { WorkerProcess } from "./worker-process.ts";
import type { WorkerProgramOptions } from "./worker-program.ts";

/** Disposing it kills every process of it. */
export class FaultWorld implements AsyncDisposable {
  readonly folder: string;
  readonly traces: string;
  readonly address: string;
  readonly client: BelayClient;
  server: ServerProcess;
  readonly #port: number;
  readonly #workers: WorkerProcess[] = [];

  private constructor(folder: string, port: number, server: ServerProcess) {
    this.folder = folder;
    this.traces = join(folder, "traces");
    mkdirSync(this.traces);
    this.#port = port;
    this.address = `127.0.0.1:${port}`;
    this.client = connect(this.address);
    this.server = server;
  }

  static async start(): Promise<FaultWorld> {
    const folder = mkdtempSync(join(tmpdir(), "belay-fault-"));
    const port = await freePort();
    const server = await ServerProcess.start({ port, data: join(folder, "data") });
    return new FaultWorld(folder, port, server);
  }

  /** The next life of the server, on the same port and data. */
  async restartServer(): Promise<void> {
    this.server = await ServerProcess.start({ port: this.#port, data: join(this.folder, "data") });
  }

  async worker(
    name: string,
    options: Pick<WorkerProgramOptions, "slots" | "leaseMs"> & Partial<WorkerProgramOptions>,
  ): Promise<WorkerProcess> {
    const worker = await WorkerProcess.start(this.workerOptions(name, options));
    this.#workers.push(worker);
    return worker;
  }

  workerOptions(
    name: string,
    options: Pick<WorkerProgramOptions, "slots" | "leaseMs"> & Partial<WorkerProgramOptions>,
  ): WorkerProgramOptions {
    const processFolder = join(this.folder, `processes-${name}`);
    return { server: this.address, name, traces: this.traces, processFolder, ...options };
  }

  /** Resolves when so many attempts have really begun. */
  async begun(count: number): Promise<Trace[]> {
    const running = (): Trace[] => readTraces(this.traces).filter(({ beats }) => beats > 0);
    try {
      return await eventually(
        `${count} attempts begin`,
        () => {
          const traces = running();
          return traces.length >= count && traces;
        },
        { timeoutMs: 30_000 },
      );
    } catch (error) {
      const { operations } = await this.client.list();
      const idle = operations.filter(({ name }) => !running().some(({ id }) => name.endsWith(id)));
      const told = idle.map(
        ({ name, type, state, worker }) => `${name} ${type} ${stateName(state)} ${worker}`,
      );
      throw new Error(`without a trace: ${told.join("; ")}\n${this.output}`, { cause: error });
    }
  }

  /** What its processes have logged. */
  get output(): string {
    return [this.server, ...this.#workers].map(({ output }) => output).join("\n");
  }

  /** Every process that a command of the operations was, or started. */
  get commandPids(): number[] {
    return readTraces(this.traces).flatMap(({ pids }) => pids);
  }

  async operations(names: readonly string[]): Promise<Map<string, Operation>> {
    const read = await Promise.all(names.map((name) => this.client.get(name)));
    return new Map(read.map((operation) => [operation.name, operation]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    for (const worker of this.#workers) await worker[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await eventually("no command is left", () => !this.commandPids.some(isAlive));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
