// The worker's side of its supervisor: starts it with the first command, passes orders and news, and takes its place
// when it dies or does not answer.
import { type ChildProcess, spawn } from "node:child_process";
import { extname, resolve as resolvePath } from "node:path";
import { fileURLToPath } from "node:url";
import type { Logger } from "../../base/logger.ts";
import { delay, startTimer, type Timer } from "../../base/timers.ts";
import { settlesWithin } from "../settles-within.ts";
import { ProcessGroup } from "./process-group.ts";
import { ownProcess, ProcessRecords } from "./process-record.ts";
import type {
  CommandExit,
  CommandNotes,
  SpawnOrder,
  SupervisorNews,
  SupervisorOrder,
} from "./supervisor-messages.ts";

/** The entry beside this file: `.ts` in the sources, `.js` in dist. */
const entry = fileURLToPath(new URL(`./supervisor-entry${extname(import.meta.filename)}`, import.meta.url));

/** What a command tells; each method returns at once. */
export interface CommandListener {
  notes(notes: CommandNotes): void;
  /** SIGTERM was sent. */
  terminated(): void;
  /** It could not be started, and nothing runs. */
  refused(problem: string): void;
  /** Nothing of it is left. `exit` is null if the supervisor was lost, and its exit with it. */
  gone(exit: CommandExit | null): void;
}

/** A command under the supervisor. */
export interface SupervisedProcess {
  terminate(): void;
  kill(): void;
}

/** A supervisor that has not reported the end this long after `kill` is stopped or stuck: the worker kills as well. */
const STRIKE_AFTER_MS = 1_000;
/** A child between fork and exec does not show its marker yet; this much later it does. */
const EXEC_WINDOW_MS = 50;
const CLOSE_MAX_MS = 10_000;

interface Command {
  listener: CommandListener;
  /** The supervisor that was given the order. */
  supervisor: ChildProcess | undefined;
  pgid: number | null;
  startTime: string | null;
  isStriking: boolean;
  strikeTimer: Timer | undefined;
}

/** Runs commands under one supervisor process. */
export class ProcessSupervisor {
  readonly #folder: string;
  readonly #records: ProcessRecords;
  readonly #bootId: string;
  readonly #logger: Logger;
  readonly #isAttached: boolean;
  readonly #commands = new Map<string, Command>();
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  /** Orders given before the supervisor listens; null once it does. */
  #waiting: SupervisorOrder[] | null = null;
  #leaseEndNs: bigint | null = null;

  /** `isAttached`: commands may be given this process's standard streams; the supervisor then holds them, too. */
  constructor(options: { processFolder: string; bootId: string; logger: Logger; isAttached?: boolean }) {
    this.#isAttached = options.isAttached ?? false;
    this.#folder = resolvePath(options.processFolder);
    this.#records = new ProcessRecords(this.#folder);
    this.#bootId = options.bootId;
    this.#logger = options.logger;
  }

  /** Orders a command; its end comes as `refused` or `gone`, once. */
  run(order: Omit<SpawnOrder, "type">, listener: CommandListener): SupervisedProcess {
    const { marker } = order;
    const command: Command = {
      listener,
      supervisor: undefined,
      pgid: null,
      startTime: null,
      isStriking: false,
      strikeTimer: undefined,
    };
    this.#commands.set(marker, command);
    this.#send({ type: "spawn", ...order });
    command.supervisor = this.#child;
    this.#hold();
    return {
      terminate: () => this.#stop(marker, "terminate"),
      kill: () => this.#stop(marker, "kill"),
    };
  }

  /**
   * The worker's lease is certain until then, on the machine's monotonic clock: afterwards the supervisor kills every
   * command by itself, also while this process is stopped. null: there is no limit.
   */
  leaseUntil(endNs: bigint | null): void {
    this.#leaseEndNs = endNs;
    // One that does not listen yet is told when it does.
    if (this.#child && !this.#waiting) this.#send(this.#leaseOrder());
  }

  /** Lets the supervisor kill what is left and end; resolves when it has, after 10 s at most. */
  async close(): Promise<void> {
    const child = this.#child;
    child?.ref();
    if (child?.connected) child.disconnect();
    const hasExited = await settlesWithin(this.#exited, CLOSE_MAX_MS);
    if (!hasExited) this.#logger.error({ pid: child?.pid }, "the process supervisor does not end");
  }

  #stop(marker: string, type: "terminate" | "kill"): void {
    const command = this.#commands.get(marker);
    if (!command) return;
    this.#send({ type, marker });
    if (type === "terminate" || command.strikeTimer) return;
    command.strikeTimer = startTimer(STRIKE_AFTER_MS, () => void this.#strike(marker));
  }

  #send(order: SupervisorOrder): void {
    if (!this.#child) this.#start();
    if (this.#waiting) this.#waiting.push(order);
    else this.#child?.send(order, () => {}); // a failed send: it is gone, `exit` follows
  }

  #leaseOrder(): SupervisorOrder {
    return { type: "lease", endNs: this.#leaseEndNs === null ? "" : String(this.#leaseEndNs) };
  }

  #start(): void {
    const owner = ownProcess();
    const child = spawn(
      process.execPath,
      // A small young generation: 65 MB resident after 100 commands instead of 73 (dist, Node 24).
      ["--max-semi-space-size=1", entry, this.#folder, this.#bootId, String(owner.pid), owner.startTime],
      // Its own session: what kills the worker's process group, or its terminal, must not take the supervisor along.
      {
        detached: true,
        stdio: ["ignore", "ignore", "inherit", "ipc", ...(this.#isAttached ? [0, 1, 2] : [])],
        env: supervisorEnvironment(),
      },
    );
    this.#child = child;
    this.#waiting = [];
    this.#exited = new Promise((resolve) => {
      const lost = (problem: string): void => {
        if (this.#child !== child) return;
        this.#child = undefined;
        this.#waiting = null;
        void this.#takeOver(problem).then(resolve);
      };
      child.once("exit", (code, signal) => lost(`exit code ${code}, signal ${signal}`));
      child.once("error", (error) => lost(error.message));
    });
    child.on("message", (news: SupervisorNews) => this.#receive(news));
  }

  #receive(news: SupervisorNews): void {
    if (news.type === "ready") {
      const orders = this.#waiting ?? [];
      this.#waiting = null;
      // The newest, before all orders:
      //   lease to 2 s, spawn -> the supervisor is slow to start -> lease to 4 s -> it is ready after 3 s.
      // In the order in which they were given, the spawn would be refused for a lease that was renewed long ago.
      if (this.#leaseEndNs !== null) this.#send(this.#leaseOrder());
      for (const order of orders) this.#send(order);
      return;
    }
    const command = this.#commands.get(news.marker);
    if (!command) return;
    switch (news.type) {
      case "spawned":
        command.pgid = news.pgid;
        command.startTime = news.startTime;
        break;
      case "notes":
        command.listener.notes(news.notes);
        break;
      case "terminated":
        command.listener.terminated();
        break;
      case "refused":
        if (this.#forget(news.marker)) command.listener.refused(news.problem);
        break;
      case "gone":
        if (this.#forget(news.marker)) command.listener.gone(news.exit);
    }
  }

  /** The supervisor is lost: what it ran is ours to kill. */
  async #takeOver(problem: string): Promise<void> {
    if (this.#commands.size === 0) return;
    this.#logger.error({ problem }, "the process supervisor ended; its commands are killed");
    await Promise.all([...this.#commands.keys()].map((marker) => this.#strike(marker)));
  }

  /** Kills a command from here; it counts as gone only when nothing is left, however long that takes. */
  async #strike(marker: string): Promise<void> {
    const command = this.#commands.get(marker);
    if (!command || command.isStriking) return;
    // Its news of the spawn may have been lost with it; the record on disk was written first.
    const record = this.#records.read().find((each) => each.marker === marker && each.pgid !== null);
    const pgid = command.pgid ?? record?.pgid ?? null;
    const startTime = command.startTime ?? record?.startTime ?? null;
    if (pgid === null && command.supervisor === this.#child) {
      // It may yet obey the order to spawn, and after it the one to kill; until then nobody knows.
      command.strikeTimer = startTimer(STRIKE_AFTER_MS, () => void this.#strike(marker));
      return;
    }
    command.isStriking = true;
    if (pgid === null) await delay(EXEC_WINDOW_MS);
    const identity = { pgid, startTime, marker };
    await new ProcessGroup(identity, { observed: false }).killUntilGone(Number.POSITIVE_INFINITY);
    this.#records.remove(identity);
    this.#records.remove({ ...identity, pgid: null });
    if (this.#forget(marker)) command.listener.gone(null);
  }

  #forget(marker: string): boolean {
    this.#commands.get(marker)?.strikeTimer?.cancel();
    const wasThere = this.#commands.delete(marker);
    this.#hold();
    return wasThere;
  }

  /** An idle supervisor does not keep the worker's process alive. */
  #hold(): void {
    const child = this.#child;
    if (!child) return;
    const isBusy = this.#commands.size > 0;
    child[isBusy ? "ref" : "unref"]();
    child.channel?.[isBusy ? "ref" : "unref"]();
  }
}

/** Little, so that no secret of the worker is copied; a marker of ours is passed on, or an outer Belay could not hunt it. */
function supervisorEnvironment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const name of ["PATH", "HOME", "LANG", "BELAY_ATTEMPT", "BELAY_OPERATION"]) {
    if (process.env[name] !== undefined) env[name] = process.env[name];
  }
  return env;
}
