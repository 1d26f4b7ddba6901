// A real worker process that tests may kill, stop and continue. What it runs is traced-operations.ts.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { processEnvironment } from "./server-process.ts";
import type { WorkerProgramOptions } from "./worker-program.ts";

const program = fileURLToPath(new URL("./worker-program.ts", import.meta.url));

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** One life of a worker. */
export class WorkerProcess implements AsyncDisposable {
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  #output = "";
  #hasExited = false;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.exited = once(child, "exit").then(([code, signal]) => {
      this.#hasExited = true;
      return { code, signal };
    });
  }

  /** Starts a worker without waiting for it: the server may be away, and it may be killed before it serves. */
  static spawn(options: WorkerProgramOptions): WorkerProcess {
    const child = spawn(process.execPath, [program, JSON.stringify(options)], {
      stdio: ["ignore", "pipe", "pipe"],
      env: processEnvironment({
        BELAY_TEST_TRACES: options.traces,
        BELAY_TEST_WORKER: options.name,
        BELAY_TEST_KILL_MS: String(options.killMs ?? 1000),
      }),
    });
    const worker = new WorkerProcess(child);
    const read = (chunk: Buffer): void => {
      worker.#output += chunk.toString();
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
    return worker;
  }

  /** Starts a worker and resolves when it serves. */
  static async start(options: WorkerProgramOptions): Promise<WorkerProcess> {
    const worker = WorkerProcess.spawn(options);
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (worker.#output.includes("serves\n")) resolve();
    };
    worker.#child.stdout?.on("data", look);
    const exit = worker.exited.then(({ code, signal }) => {
      throw new Error(`worker ${options.name} ended with ${code ?? signal}:\n${worker.#output}`);
    });
    exit.catch(() => {}); // after it serves, an exit is no surprise
    await Promise.race([promise, exit]);
    return worker;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasExited(): boolean {
    return this.#hasExited;
  }

  /** Standard output and error so far. */
  get output(): string {
    return this.#output;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGCONT");
    this.kill("SIGKILL");
    await this.exited;
  }
}
