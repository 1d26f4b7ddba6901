// One command under the supervisor: spawned in its own process group, fed, read, stopped, and watched until neither
// its group nor a descendant is left.
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { delay, startTimer, type Timer } from "../../base/timers.ts";
import { settlesWithin } from "../settles-within.ts";
import { NoteReader } from "./note-reader.ts";
import { OutputTail } from "./output-tail.ts";
import { ProcessGroup } from "./process-group.ts";
import type { ProcessRecord, ProcessRecords } from "./process-record.ts";
import { type ProcessEntry, readProcess, readProcessTable } from "./process-table.ts";
import type { SpawnOrder, SupervisorNews } from "./supervisor-messages.ts";

/** Notes are passed on this often at most. */
const NOTES_EVERY_MS = 50;
/** What a command leaves in its group when it ends by itself has this long after SIGTERM. */
const LEFTOVER_GRACE_MS = 1_000;
const POLL_MIN_MS = 5;
const POLL_MAX_MS = 200;
/** How long the outputs may stay open when all processes that we know of are gone. */
const OUTPUT_CLOSE_MS = 500;

/** The supervisor's descriptors that are the worker's standard input, output and error (process-supervisor.ts). */
const attachedStreams = [4, 5, 6] as const;

/** Where the supervisor's records go, and who owns them. */
export interface RecordPlace extends Pick<ProcessRecord, "bootId" | "owner"> {
  records: ProcessRecords;
}

/** A command that was ordered. */
export class SupervisedCommand {
  /** Resolves when nothing of the command is left, or it never ran. */
  readonly gone: Promise<void>;
  readonly #order: SpawnOrder;
  readonly #place: RecordPlace;
  readonly #tell: (news: SupervisorNews) => void;
  readonly #stdout = new OutputTail();
  readonly #stderr = new OutputTail();
  readonly #notes = new NoteReader();
  #notesTimer: Timer | undefined;
  #group: ProcessGroup | undefined;
  #pgid = 0;
  #hasExited = false;
  #wasStopped = false;
  #isKilling = false;
  #lostLease = false;

  constructor(order: SpawnOrder, place: RecordPlace, tell: (news: SupervisorNews) => void) {
    this.#order = order;
    this.#place = place;
    this.#tell = tell;
    this.gone = this.#run().catch((error: Error) => {
      this.#forget(null);
      tell({ type: "refused", marker: order.marker, problem: error.message });
    });
  }

  /** SIGTERM, and SIGCONT after it: a stopped process acts on neither until it continues. */
  terminate(): void {
    this.#stop(readProcessTable(), "SIGTERM", "SIGCONT");
    this.#tell({ type: "terminated", marker: this.#order.marker });
  }

  /** The worker's lease has passed: it is killed, and nobody may take that for its own end. */
  leaseLost(table: readonly ProcessEntry[]): void {
    this.#lostLease = true;
    this.kill(table);
  }

  /** SIGKILL, until nothing is left. Those who kill many at once look at the processes once for all (`table`). */
  kill(table: readonly ProcessEntry[] = readProcessTable()): void {
    this.#isKilling = true;
    this.#stop(table, "SIGKILL");
  }

  #stop(table: readonly ProcessEntry[], ...signals: readonly NodeJS.Signals[]): void {
    if (!this.#group) return;
    // A leader that is a zombie had ended before this order; its exit code is just not read yet.
    if (!this.#hasExited && readProcess(this.#pgid)?.isAlive) this.#wasStopped = true;
    this.#group.signalAmong(table, ...signals);
  }

  async #run(): Promise<void> {
    const { marker } = this.#order;
    this.#record(null, null);
    const child = this.#spawn();
    // No `await` before the group is known: the order to stop may come right behind the one to spawn.
    if (child.pid === undefined) throw await startErrorOf(child);
    const pgid = child.pid;
    child.on("error", () => {});
    const startTime = readProcess(pgid)?.startTime ?? "";
    this.#pgid = pgid;
    const group = new ProcessGroup({ pgid, startTime, marker }, { observed: true });
    this.#group = group;
    const exited = this.#exitOf(child);
    const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
    this.#connect(child);
    try {
      this.#record(pgid, startTime);
    } catch (error) {
      await group.killUntilGone(Number.POSITIVE_INFINITY);
      throw error;
    }
    this.#forget(null);
    this.#tell({ type: "spawned", marker, pgid, startTime });
    const { code, signal } = await exited;
    await this.#untilGone(group);
    await settlesWithin(closed, OUTPUT_CLOSE_MS);
    for (const stream of child.stdio) stream?.destroy();
    this.#forget(pgid);
    this.#notes.end();
    this.#tellNotes();
    const [stdout, stderr] = [this.#stdout.capture(), this.#stderr.capture()];
    this.#tell({
      type: "gone",
      marker,
      exit: { code, signal, wasStopped: this.#wasStopped, lostLease: this.#lostLease, stdout, stderr },
    });
  }

  #spawn(): ChildProcess {
    const { command, cwd, env } = this.#order;
    const [program = "", ...args] = command;
    const streams = this.#order.isAttached ? attachedStreams : (["pipe", "pipe", "pipe"] as const);
    return spawn(program, args, { cwd, env, detached: true, stdio: [...streams, "pipe"] });
  }

  #exitOf(child: ChildProcess): Promise<{ code: number | null; signal: string | null }> {
    return new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#hasExited = true;
        resolve({ code, signal });
      });
    });
  }

  #connect(child: ChildProcess): void {
    for (const stream of child.stdio) stream?.on("error", () => {}); // EPIPE: the command need not read or stay
    child.stdin?.end(this.#order.input);
    child.stdout?.on("data", (chunk: Buffer) => this.#stdout.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => this.#stderr.push(chunk));
    const notes = child.stdio[3] as Readable;
    notes.on("data", (chunk: Buffer) => {
      this.#notes.push(chunk);
      if (this.#notes.areUrgent) this.#tellNotes();
      if (!this.#notes.hasNotes || this.#notesTimer) return;
      this.#notesTimer = startTimer(NOTES_EVERY_MS, () => this.#tellNotes());
    });
  }

  #tellNotes(): void {
    this.#notesTimer?.cancel();
    this.#notesTimer = undefined;
    if (this.#notes.hasNotes)
      this.#tell({ type: "notes", marker: this.#order.marker, notes: this.#notes.take() });
  }

  /**
   * The leader has exited. After a stop the others have the rest of the grace, which the worker counts; a command
   * that ended by itself leaves nothing behind that runs on.
   */
  async #untilGone(group: ProcessGroup): Promise<void> {
    let leftoverTimer: Timer | undefined;
    if (!this.#wasStopped) {
      if (group.signal("SIGTERM", "SIGCONT").length === 0) return;
      leftoverTimer = startTimer(LEFTOVER_GRACE_MS, () => {
        this.#isKilling = true;
      });
    }
    for (let pauseMs = POLL_MIN_MS; ; pauseMs = Math.min(POLL_MAX_MS, pauseMs * 2)) {
      const living = this.#isKilling ? group.signal("SIGKILL") : group.living();
      if (living.length === 0) break;
      await delay(pauseMs);
    }
    leftoverTimer?.cancel();
  }

  #record(pgid: number | null, startTime: string | null): void {
    const { marker, operation } = this.#order;
    const { records, bootId, owner } = this.#place;
    records.write({ pgid, startTime, marker, operation, bootId, owner });
  }

  #forget(pgid: number | null): void {
    this.#place.records.remove({ pgid, startTime: null, marker: this.#order.marker });
  }
}

/** Why a child without a pid could not be started. */
function startErrorOf(child: ChildProcess): Promise<Error> {
  return new Promise((resolve) => child.once("error", resolve));
}
