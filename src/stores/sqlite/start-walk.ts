// The indexes of pending operations, walked by their leading columns: which services and priorities wait at all. Each
// step is one search of the index, however many operations wait.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Instant } from "../../base/clock.ts";
import { getRow, prepareRows } from "./database.ts";

/** `operations_start`: no slot can block them. `operations_start_limited`: the others. */
export type StartIndex = "operations_start" | "operations_start_limited";

/** What each index holds, in the words of its own WHERE: otherwise SQLite would not take it. */
export const startConditions: Record<StartIndex, string> = {
  operations_start: "start_class = 1",
  operations_start_limited: "start_class = 2",
};

/** Operations of one type, service and priority wait. */
export interface StartGroup {
  service: string;
  priority: number;
}

/** Higher than any priority. */
const ABOVE_ALL = 1000;

type GroupRow = [service: string, priority: number];

/** Prepared once per connection, for one of the two indexes. */
export class StartWalk {
  readonly #nextType: StatementSync;
  readonly #nextService: StatementSync;
  readonly #nextPriority: StatementSync;
  readonly #earliest: StatementSync;

  constructor(database: DatabaseSync, index: StartIndex) {
    const from = `FROM operations INDEXED BY ${index} WHERE ${startConditions[index]}`;
    const prepare = (sql: string): StatementSync => prepareRows(database, sql);
    this.#nextType = prepare(`SELECT type ${from} AND type > ? ORDER BY type LIMIT 1`);
    this.#nextService = prepare(
      `SELECT service, priority ${from} AND type = ? AND service > ? ORDER BY service, priority DESC LIMIT 1`,
    );
    this.#nextPriority = prepare(
      `SELECT service, priority ${from} AND type = ? AND service = ? AND priority < ? ORDER BY priority DESC LIMIT 1`,
    );
    this.#earliest = prepare(
      `SELECT start_after ${from} AND type = ? AND service = ? AND priority = ? ORDER BY start_after LIMIT 1`,
    );
  }

  /** The types of which something waits. */
  *types(): Iterable<string> {
    for (
      let row = getRow<[string]>(this.#nextType, "");
      row;
      row = getRow<[string]>(this.#nextType, row[0])
    ) {
      yield row[0];
    }
  }

  /** The services with operations of a type that wait, each with its highest priority. */
  *services(type: string): Iterable<StartGroup> {
    let row = getRow<GroupRow>(this.#nextService, type, "");
    for (; row; row = getRow<GroupRow>(this.#nextService, type, row[0])) {
      yield { service: row[0], priority: row[1] };
    }
  }

  /** A service's priorities, from its highest one downwards. */
  *priorities(type: string, highest: StartGroup): Iterable<number> {
    let row: GroupRow | undefined = [highest.service, highest.priority];
    for (; row; row = getRow<GroupRow>(this.#nextPriority, type, row[0], row[1])) yield row[1];
  }

  /** The earliest start of a type in a service, due or not; null if nothing waits. */
  earliestStart(type: string, service: string): Instant | null {
    let earliest: Instant | null = null;
    for (const priority of this.priorities(type, { service, priority: ABOVE_ALL })) {
      const row = getRow<[Instant]>(this.#earliest, type, service, priority);
      if (row && (earliest === null || row[0] < earliest)) earliest = row[0];
    }
    return earliest;
  }
}
