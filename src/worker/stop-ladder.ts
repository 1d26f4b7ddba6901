// The times of a stop (G3): how long a critical section may hold the abort back, when the grace ends, how long the
// clean-up may take, and when the work counts as stuck. Every limit only ever moves earlier.
import { monotonicMs } from "../base/clock.ts";
import { startTimer, type Timer } from "../base/timers.ts";

/** What the times of one attempt's stop lead to. */
export interface StopSteps {
  /** The critical section has had its time: the abort comes now. */
  cut(): void;
  /** Grace or clean-up are over: stop by force. Called once. */
  escalate(): void;
  /** The work goes on past the deadline. Called once. */
  stuck(): void;
}

/** Milliseconds from now. */
export interface StopTimes {
  /** How long a critical section may hold the abort back. */
  criticalMs: number;
  /** From the abort on. */
  graceMs: number;
  /** The clean-up, from the handler's end on. */
  cleanupMs: number;
  /** Force is used by then at the latest, whatever section or clean-up runs. */
  forceMs: number;
  /** When the work counts as stuck. */
  stuckMs: number;
}

const NEVER = Number.POSITIVE_INFINITY;
/** A cancel that is repeated arrives a little earlier or later than the first did; that makes its grace no shorter. */
const JITTER_MS = 500;

/** The stop of one attempt. */
export class StopLadder {
  readonly #steps: StopSteps;
  /** held: a critical section holds the abort back; aborting: the handler was told; cleaning: it has settled. */
  #phase: "idle" | "held" | "aborting" | "cleaning" = "idle";
  #cutMs = NEVER;
  #escalateMs = NEVER;
  #forceMs = NEVER;
  #stuckMs = NEVER;
  /** When it began. */
  #fromMs = NEVER;
  /** Counted from `fromMs`, and then from the abort, if a critical section delayed that. */
  #graceMs = NEVER;
  #wasHeld = false;
  #timer: Timer | undefined;
  #hasEscalated = false;
  #wasStuck = false;
  #isOver = false;

  constructor(steps: StopSteps) {
    this.#steps = steps;
  }

  /** The work is to stop. Called again, it can only shorten. */
  climb(times: StopTimes): void {
    const now = monotonicMs();
    this.#forceMs = Math.min(this.#forceMs, now + times.forceMs);
    this.#stuckMs = Math.min(this.#stuckMs, now + times.stuckMs);
    this.#cutMs = Math.min(this.#cutMs, now + times.criticalMs);
    this.#fromMs = Math.min(this.#fromMs, now);
    this.#shortenGrace(now, times.graceMs);
    if (this.#phase === "cleaning") this.#escalateMs = Math.min(this.#escalateMs, now + times.cleanupMs);
    this.#schedule();
  }

  /**
   * What is told again is what is left of the grace, without the time that a critical section took from it:
   *   0 s cancel, grace 10 s; held by a section -> 20 s abort -> 21 s told again, 0 s of the grace are left.
   * Taken at its word, the repetition would end a grace that has only begun.
   */
  #shortenGrace(now: number, leftMs: number): void {
    const graceMs = now - this.#fromMs + leftMs;
    const isShorter = graceMs < this.#graceMs - JITTER_MS;
    this.#graceMs = Math.min(this.#graceMs, graceMs);
    if (this.#phase === "idle") this.#phase = "aborting";
    if (this.#phase === "aborting" && (isShorter || !this.#wasHeld))
      this.#escalateMs = Math.min(this.#escalateMs, now + leftMs);
  }

  /** A critical section holds the abort back: the grace has not begun. */
  held(): void {
    if (this.#phase !== "aborting") return;
    this.#phase = "held";
    this.#wasHeld = true;
    this.#escalateMs = NEVER;
    this.#schedule();
  }

  /** The section is over, or was cut: the grace begins. */
  begun(): void {
    if (this.#phase !== "held") return;
    this.#phase = "aborting";
    this.#escalateMs = monotonicMs() + this.#graceMs;
    this.#schedule();
  }

  /** The handler has settled, aborted or not, and its clean-up begins: what is left of the grace counts no more. */
  cleaning(cleanupMs: number): void {
    this.#phase = "cleaning";
    this.#escalateMs = monotonicMs() + cleanupMs;
    this.#schedule();
  }

  /** The work has stopped. */
  cancel(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  #schedule(): void {
    this.#timer?.cancel();
    if (this.#isOver) return;
    const dueMs = Math.min(this.#nextCutMs(), this.#nextEscalateMs(), this.#nextStuckMs());
    if (dueMs === NEVER) return;
    this.#timer = startTimer(dueMs - monotonicMs(), () => this.#climbOn());
  }

  #nextCutMs(): number {
    return this.#phase === "held" ? Math.min(this.#cutMs, this.#forceMs) : NEVER;
  }

  #nextEscalateMs(): number {
    return this.#hasEscalated ? NEVER : Math.min(this.#escalateMs, this.#forceMs);
  }

  #nextStuckMs(): number {
    return this.#wasStuck ? NEVER : this.#stuckMs;
  }

  /** Timers may come a fraction of a millisecond early. */
  #climbOn(): void {
    const now = monotonicMs() + 1;
    if (this.#nextCutMs() <= now) {
      this.begun();
      this.#steps.cut();
    }
    if (this.#nextEscalateMs() <= now) {
      this.#hasEscalated = true;
      this.#steps.escalate();
    }
    if (this.#nextStuckMs() <= now) {
      this.#wasStuck = true;
      this.#steps.stuck();
    }
    this.#schedule();
  }
}
