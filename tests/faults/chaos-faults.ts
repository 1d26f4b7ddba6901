// What happens to the server, the workers and the network of a chaos run, as its seed says. Each of them has one trouble at
// a time; several of them may have theirs at once.
import { delay } from "../../src/base/timers.ts";
import type { ChaosRandom } from "./chaos-random.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { ServerProcess, type ServerProcessOptions } from "./server-process.ts";
import { WorkerProcess } from "./worker-process.ts";
import type { WorkerProgramOptions } from "./worker-program.ts";

/** A time in which somebody could not act: wall clock, milliseconds. */
export interface Trouble {
  who: string;
  what: string;
  fromMs: number;
  toMs: number;
}

/** One worker: the processes that it is one after the other, and its network. */
class ChaosWorker {
  readonly name: string;
  readonly proxy: FaultProxy;
  readonly #options: WorkerProgramOptions;
  #process: WorkerProcess | undefined;
  #isOver = false;
  lives = 0;

  constructor(proxy: FaultProxy, options: WorkerProgramOptions) {
    this.name = options.name;
    this.proxy = proxy;
    this.#options = { ...options, server: proxy.address };
  }

  /** Whatever ends it, it is started again. */
  async live(random: ChaosRandom): Promise<void> {
    while (!this.#isOver) {
      this.lives++;
      this.#process = WorkerProcess.spawn(this.#options);
      await this.#process.exited;
      await delay(random.whole(0, 1000));
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  get output(): string {
    return this.#process?.output ?? "";
  }

  async end(): Promise<void> {
    this.#isOver = true;
    this.kill("SIGCONT");
    this.kill("SIGKILL");
    await this.#process?.exited;
    await this.proxy[Symbol.asyncDispose]();
  }
}

/** Everything that can break. */
export class ChaosFaults implements AsyncDisposable {
  readonly troubles: Trouble[] = [];
  readonly workers: readonly ChaosWorker[];
  readonly #server: ServerProcessOptions;
  readonly #random: ChaosRandom;
  readonly #lives: Promise<void>[];
  #process: ServerProcess;

  private constructor(
    server: ServerProcessOptions,
    process: ServerProcess,
    workers: readonly ChaosWorker[],
    random: ChaosRandom,
  ) {
    this.#server = server;
    this.#process = process;
    this.workers = workers;
    this.#random = random;
    this.#lives = workers.map((worker) => worker.live(random.fork()));
  }

  static async start(
    server: ServerProcessOptions,
    workers: readonly WorkerProgramOptions[],
    random: ChaosRandom,
  ): Promise<ChaosFaults> {
    const process = await ServerProcess.start(server);
    const behindProxies = await Promise.all(
      workers.map(async (options) => new ChaosWorker(await FaultProxy.open(server.port), options)),
    );
    return new ChaosFaults(server, process, behindProxies, random);
  }

  /** Breaks this and that until `isOver`, and leaves everything whole. */
  async run(isOver: () => boolean): Promise<void> {
    const server = this.#troubleServer(this.#random.fork(), isOver);
    const workers = this.workers.map((worker) => this.#troubleWorker(worker, this.#random.fork(), isOver));
    await Promise.all([server, ...workers]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.end()));
    await Promise.all(this.#lives);
    await this.#process[Symbol.asyncDispose]();
  }

  async #troubleServer(random: ChaosRandom, isOver: () => boolean): Promise<void> {
    for (;;) {
      await delay(random.whole(3000, 9000));
      if (isOver()) return;
      if (random.percent(60)) {
        await this.#trouble("server", "kill", async () => {
          this.#process.kill("SIGKILL");
          await this.#process.exited();
          await delay(random.whole(0, 1500));
          this.#process = await ServerProcess.start(this.#server);
        });
      } else await this.#pause("server", this.#process, random.whole(100, 2500));
    }
  }

  async #troubleWorker(worker: ChaosWorker, random: ChaosRandom, isOver: () => boolean): Promise<void> {
    for (;;) {
      await delay(random.whole(500, 4000));
      if (isOver()) return;
      const what = random.pick([
        "SIGKILL",
        "SIGKILL",
        "SIGTERM",
        "stop",
        "stop",
        "cut",
        "mute",
        "mute",
      ] as const);
      if (what === "SIGKILL" || what === "SIGTERM") {
        await this.#trouble(worker.name, what, async () => {
          worker.kill(what);
        });
      } else if (what === "stop") await this.#pause(worker.name, worker, random.whole(100, 6000));
      else {
        await this.#trouble(worker.name, what, async () => {
          worker.proxy[what]();
          await delay(random.whole(100, 5000));
          worker.proxy.mend();
        });
      }
    }
  }

  async #pause(who: string, process: { kill(signal: NodeJS.Signals): void }, ms: number): Promise<void> {
    await this.#trouble(who, "stop", async () => {
      process.kill("SIGSTOP");
      await delay(ms);
      // When it may go on, not when this process, which it may push off its core, gets to look at the clock.
      const onMs = Date.now();
      process.kill("SIGCONT");
      return onMs;
    });
  }

  async #trouble(who: string, what: string, happens: () => Promise<number | undefined>): Promise<void> {
    const fromMs = Date.now();
    const toMs = (await happens()) ?? Date.now();
    this.troubles.push({ who, what, fromMs, toMs });
  }
}
