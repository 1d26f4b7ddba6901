// Finds positions of the feed up to which everything was looked at in memory, so that watches of quiet operations do not
// fall behind on a busy server.
import { startTimer, type Timer } from "../base/timers.ts";

/** How often, while there are commits. */
const PERIOD_MS = 1000;

interface PositionOptions {
  commits: { readonly sent: number; readonly settled: number };
  read(): Promise<FeedEnds>;
  reached(ends: FeedEnds): void;
}

/** A position of each feed of the store. */
export type FeedEnds = ReadonlyMap<string, number>;

/**
 * A position that is read may lie after commits whose changes were not handed out yet:
 *
 *   commit 7 is durable -> the position is read: 120, event 119 is of commit 7 -> commit 7's changes are handed out.
 *   Taken at once, whoever watches event 119's operation would be moved past it.
 *
 * All that lies before it was sent when the answer came, so it counts once as many commits have been handed out.
 */
export class FeedPositions {
  readonly #options: PositionOptions;
  #timer: Timer | null = null;
  #isReading = false;
  #isClosed = false;
  #waiting: { ends: FeedEnds; commits: number } | null = null;

  constructor(options: PositionOptions) {
    this.#options = options;
  }

  /** The changes of a commit were handed out. */
  settled(): void {
    const waiting = this.#waiting;
    if (waiting !== null && this.#options.commits.settled >= waiting.commits) {
      this.#waiting = null;
      this.#options.reached(waiting.ends);
    }
    if (this.#timer !== null || this.#isReading || this.#waiting !== null || this.#isClosed) return;
    this.#timer = startTimer(PERIOD_MS, () => void this.#read(), { unref: true });
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  async #read(): Promise<void> {
    this.#timer = null;
    this.#isReading = true;
    try {
      const ends = await this.#options.read();
      const { sent, settled } = this.#options.commits;
      if (settled >= sent) this.#options.reached(ends);
      else this.#waiting = { ends, commits: sent };
    } catch {
      // Whoever watches is told by the next read of the feed; the next commit tries again.
    } finally {
      this.#isReading = false;
    }
  }
}
