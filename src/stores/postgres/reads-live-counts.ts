// How many operations are live. No table keeps the counts, as SQLite's does: the batches of all nodes would queue up for
// its few rows. They are counted, and kept for a while once that is dear.
import { type Clock, type Instant, MICROS_PER_SECOND } from "../../base/clock.ts";
import type { OperationState } from "../../engine/operation.ts";
import type { LiveCounts } from "../../engine/store.ts";
import type { Queryable } from "./queryable.ts";
import { statement } from "./statements-read.ts";

/** Up to so many live operations, counting takes some milliseconds, and is done each time. */
const COUNTED_EACH_TIME_MAX = 10_000;

/** How long more of them count as counted; or, if that is longer, 20 times as long as counting took. */
const KEPT_MIN: Instant = 5 * MICROS_PER_SECOND;
const KEPT_TIMES = 20;

const countLive = statement(
  "live_counts",
  `SELECT service, type, state, count(*), min(start_after) FILTER (WHERE start_class IS NOT NULL)
    FROM operations WHERE done_time IS NULL GROUP BY service, type, state ORDER BY service, type, state`,
);

type CountRow = [service: string, type: string, state: string, count: number, earliestStart: Instant | null];

export class LiveCounter {
  readonly #database: Queryable;
  readonly #clock: Clock;
  #kept: { rows: readonly CountRow[]; until: Instant } | null = null;
  /** A dear count under way: others wait for it. */
  #counting: Promise<readonly CountRow[]> | null = null;

  constructor(database: Queryable, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  async counts(): Promise<readonly LiveCounts[]> {
    const rows = await this.#rows();
    const now = this.#clock.now();
    return rows.map(([service, type, state, count, start]) => ({
      ...{ service, type, state: state as OperationState, count },
      oldestStart: state === "PENDING" && start !== null && start <= now ? start : null,
    }));
  }

  async #rows(): Promise<readonly CountRow[]> {
    if (this.#kept === null) return this.#count();
    if (this.#clock.now() < this.#kept.until) return this.#kept.rows;
    this.#counting ??= this.#count().finally(() => {
      this.#counting = null;
    });
    return this.#counting;
  }

  async #count(): Promise<readonly CountRow[]> {
    const begin = this.#clock.now();
    const rows = await this.#database.rows<CountRow>(countLive);
    const end = this.#clock.now();
    const live = rows.reduce((sum, [, , , count]) => sum + count, 0);
    const until = end + Math.max(KEPT_MIN, KEPT_TIMES * (end - begin));
    this.#kept = live > COUNTED_EACH_TIME_MAX ? { rows, until } : null;
    return rows;
  }
}
