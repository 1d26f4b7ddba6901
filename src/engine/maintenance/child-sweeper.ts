// Tells the children of closed parents (cancelling or done) to stop, level by level, until nothing is left to tell. What is
// left is in the rows: a restart goes on where the last life stopped.
import type { Logger } from "../../base/logger.ts";
import { startTimer, type Timer } from "../../base/timers.ts";
import { isDone, type OperationRecord, urgencyOf } from "../operation.ts";
import type { PendingWork } from "../store.ts";

/** After a failed commit. */
const RETRY_MS = 1000;

interface SweeperOptions {
  logger: Logger;
  pendingWork(): Promise<PendingWork>;
  /** Commits one batch; answers how many children it told or detached. */
  sweep(): Promise<number>;
}

export class ChildSweeper {
  readonly #options: SweeperOptions;
  /**
   * Cancelling parents whose children were told, by keyText, with how urgent that was: they take no new ones, so there is
   * nothing more to sweep unless it gets more urgent.
   */
  readonly #closed = new Map<string, string>();
  #timer: Timer | null = null;
  #isRunning = false;
  #isSweeping = false;
  #isWanted = false;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#isRunning = true;
    void this.#resume();
  }

  stop(): void {
    this.#isRunning = false;
    this.#timer?.cancel();
  }

  /** Runs with each commit. A parent that has just closed, or presses, wakes the sweep; no other change of it does. */
  changed(record: OperationRecord, text: string): void {
    if (record.children === null) return;
    const isOver = isDone(record.state);
    if (!isOver && record.state !== "CANCELLING") return;
    const { force, graceEndTime } = urgencyOf(record);
    const urgency = `${force} ${graceEndTime}`;
    const known = this.#closed.get(text);
    if (isOver) this.#closed.delete(text);
    else this.#closed.set(text, urgency);
    if (known !== urgency) this.wake();
  }

  /** The parent has ended, and another node has seen to its children. */
  forget(text: string): void {
    this.#closed.delete(text);
  }

  /** There may be children to tell. */
  wake(): void {
    this.#isWanted = true;
    if (this.#isRunning && !this.#isSweeping) void this.#sweep();
  }

  async #resume(): Promise<void> {
    try {
      if ((await this.#options.pendingWork()).hasUnsweptChildren) this.wake();
    } catch (error) {
      this.#retry(error, () => this.#resume());
    }
  }

  /** To the fixpoint: a child that is told may itself have children, and is then a closed parent. */
  async #sweep(): Promise<void> {
    this.#isSweeping = true;
    try {
      while (this.#isWanted && this.#isRunning) {
        this.#isWanted = false;
        if ((await this.#options.sweep()) > 0) this.#isWanted = true;
      }
    } catch (error) {
      this.#isWanted = true;
      this.#retry(error, () => this.#sweep());
    } finally {
      this.#isSweeping = false;
    }
  }

  #retry(error: unknown, again: () => Promise<void>): void {
    this.#options.logger.warn({ err: error }, "children could not be told to stop; it is tried again");
    if (this.#isRunning) this.#timer = startTimer(RETRY_MS, () => void again(), { unref: true });
  }
}
