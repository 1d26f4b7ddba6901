// What a handler registered with ctx.onCleanup: run in reverse order once the handler has settled without a result.
import { startTimer } from "../base/timers.ts";
import { cutText, failureOf } from "./handler-failure.ts";
import type { Failure } from "./runner.ts";

/** One step of a clean-up. */
export type Cleanup = () => void | Promise<void>;

/** How much of each error goes into the operation's error. */
const PROBLEM_MAX = 512;

/** The clean-up of one attempt. */
export class CleanupStack {
  readonly #steps: Cleanup[] = [];
  #isOver = false;
  #cut: (() => void) | undefined;

  get isEmpty(): boolean {
    return this.#steps.length === 0;
  }

  /** Throws once the clean-up has begun, or need not begin any more. */
  push(step: Cleanup): void {
    if (typeof step !== "function") throw new TypeError("onCleanup takes a function");
    if (this.#isOver) throw new Error("the handler has settled: no clean-up is taken any more");
    this.#steps.push(step);
  }

  /** The handler answered a result: there is nothing to clean up. */
  discard(): void {
    this.#isOver = true;
    this.#steps.length = 0;
  }

  /**
   * Runs the steps one after the other, the last one first; one that fails does not keep the others from running.
   * Answers what went wrong. After `cleanupMs`, or `cut`, no other step begins; the one that runs is waited for all
   * the same, since its end is the only evidence that the work has stopped: but in a thread, which ends then (`untilCut`).
   */
  async run(cleanupMs: number, { untilCut = false } = {}): Promise<readonly string[]> {
    this.#isOver = true;
    const problems: string[] = [];
    let isCut = false;
    const { promise: cut, resolve } = Promise.withResolvers<void>();
    const cutWith = (why: string): void => {
      if (isCut) return;
      isCut = true;
      problems.push(why);
      resolve();
    };
    this.#cut = () => cutWith("the clean-up was cut short");
    const timer = startTimer(cleanupMs, () => cutWith(`the clean-up did not end within ${cleanupMs} ms`));
    const runAll = async (): Promise<void> => {
      for (let step = this.#steps.pop(); step !== undefined && !isCut; step = this.#steps.pop()) {
        try {
          await step();
        } catch (error) {
          problems.push(
            `the clean-up failed: ${cutText(failureOf(error, undefined).error.message, PROBLEM_MAX)}`,
          );
        }
      }
    };
    const all = runAll();
    await (untilCut ? Promise.race([all, cut]) : all);
    timer.cancel();
    this.#cut = undefined;
    return problems;
  }

  /** Force: the step that runs is the last one. */
  cut(): void {
    this.#cut?.();
  }
}

/** A failure that tells, after its own message, what went wrong with the clean-up. */
export function withCleanupProblems(failure: Failure, problems: readonly string[]): Failure {
  if (problems.length === 0) return failure;
  const message = [failure.error.message, ...problems].join("; ");
  const error = { ...failure.error, message: cutText(message, 4096) };
  return { ...failure, error, cleanupProblems: problems };
}
