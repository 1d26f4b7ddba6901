// Which pending operations an acquire may grant: due, of its types, not blocked by a full slot; highest priority first,
// then the earliest start.
//
// Those without a limit are read in order. Those with one are looked for in two ways at once: through all in order, which
// is quick unless thousands are blocked in front; and by what limits them, which is quick unless thousands of keys wait.
// Whichever ends first answers, so that neither costs more than some times the other. Measured: 10,000
// blocked by their type take 0.3 ms, by one key with 300 free keys behind 6 ms, by 300 keys 20 ms.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Instant } from "../../base/clock.ts";
import type { AcquireCommand } from "../../engine/commands.ts";
import { byStartOrder } from "../../engine/decision.ts";
import type { GrantRow } from "../detail-rows.ts";
import type { SlotRoom } from "../slot-room.ts";
import { allRows, getRow, prepareRows } from "./database.ts";
import type { Candidate, SearchScope } from "./pending-candidate.ts";
import { SlotGroups } from "./slot-groups.ts";
import { type StartGroup, StartWalk, startConditions } from "./start-walk.ts";
import { grantedOperation, grantJoins } from "./statements.ts";

/** Rows that are looked through before groups are; then both budgets grow. */
const ROWS_FIRST = 200;
const ROWS_PER_GROUP = 3;

type FreeRow = [rowid: number, startAfter: Instant];
type LimitedRow = [
  rowid: number,
  startAfter: Instant,
  tenant: string,
  concurrencyKey: string,
  typeLimit: number,
  keyLimit: number,
];

/** Prepared once per connection. */
export class PendingSearch {
  readonly #freeWalk: StartWalk;
  readonly #limitedWalk: StartWalk;
  readonly #free: StatementSync;
  readonly #limited: StatementSync;
  readonly #groups: SlotGroups;
  readonly #row: StatementSync;

  constructor(database: DatabaseSync) {
    this.#freeWalk = new StartWalk(database, "operations_start");
    this.#limitedWalk = new StartWalk(database, "operations_start_limited");
    const due = `type = ? AND service = ? AND priority = ? AND start_after <= ? AND (deadline IS NULL OR deadline > ?)
      ORDER BY start_after`;
    this.#free = prepareRows(
      database,
      `SELECT rowid, start_after FROM operations INDEXED BY operations_start
        WHERE ${startConditions.operations_start} AND ${due} LIMIT ?`,
    );
    this.#limited = prepareRows(
      database,
      `SELECT rowid, start_after, tenant, concurrency_key, type_limit, key_limit
        FROM operations INDEXED BY operations_start_limited
        WHERE ${startConditions.operations_start_limited} AND ${due} LIMIT ? OFFSET ?`,
    );
    this.#groups = new SlotGroups(database);
    this.#row = prepareRows(database, `${grantedOperation} ${grantJoins} WHERE o.rowid = ?`);
  }

  /** Up to `wanted` operations, in order, none of which is in `given`; takes their room. */
  find(
    command: AcquireCommand,
    wanted: number,
    now: Instant,
    room: SlotRoom,
    given: Set<number>,
  ): GrantRow[] {
    const found: Candidate[] = [];
    for (const type of new Set(command.types)) {
      const scope = { type, wanted, now, room, given };
      for (const highest of this.#freeWalk.services(type)) {
        found.push(...this.#findFree(highest, { ...scope, service: highest.service }));
      }
      for (const highest of this.#limitedWalk.services(type)) {
        found.push(...this.#findLimited(highest, { ...scope, service: highest.service }));
      }
    }
    found.sort(byStartOrder);
    return found.slice(0, wanted).map(({ rowid, group }) => {
      given.add(rowid);
      if (group) room.take(group);
      return getRow<GrantRow>(this.#row, rowid) as GrantRow;
    });
  }

  #findFree(highest: StartGroup, scope: SearchScope): Candidate[] {
    const { type, service, wanted, now, given } = scope;
    const found: Candidate[] = [];
    for (const priority of this.#freeWalk.priorities(type, highest)) {
      const limit = wanted - found.length + given.size;
      const rows = allRows<FreeRow>(this.#free, type, service, priority, now, now, limit);
      for (const [rowid, startAfter] of rows) {
        if (!given.has(rowid)) found.push({ rowid, priority, startAfter, group: null });
      }
      if (found.length >= wanted) break;
    }
    return found;
  }

  #findLimited(highest: StartGroup, scope: SearchScope): Candidate[] {
    const inOrder = this.#inOrder(highest, scope);
    const byGroup = this.#groups.search(scope);
    for (let rows = ROWS_FIRST; ; rows *= 2) {
      const found = advanced(inOrder, rows) ?? advanced(byGroup, rows / ROWS_PER_GROUP);
      if (found) return found;
    }
  }

  /** In growing portions: fetched one by one, rows take half as long again. */
  *#limitedRows(type: string, service: string, priority: number, now: Instant): Iterable<LimitedRow> {
    let offset = 0;
    for (let limit = ROWS_FIRST; ; limit *= 2) {
      const rows = allRows<LimitedRow>(this.#limited, type, service, priority, now, now, limit, offset);
      yield* rows;
      if (rows.length < limit) return;
      offset += limit;
    }
  }

  /** Looks through all in order; yields after each one that is blocked. */
  *#inOrder(highest: StartGroup, scope: SearchScope): Generator<void, Candidate[]> {
    const { type, service, wanted, now, given } = scope;
    const room = scope.room.copy();
    const found: Candidate[] = [];
    // Asked once for each group: what is blocked stays so during a search.
    const blocked = new Set<string>();
    for (const priority of this.#limitedWalk.priorities(type, highest)) {
      const rows = this.#limitedRows(type, service, priority, now);
      for (const [rowid, startAfter, tenant, concurrencyKey, typeLimit, keyLimit] of rows) {
        if (given.has(rowid)) continue;
        const text = `${tenant}\n${typeLimit}\n${keyLimit}\n${concurrencyKey}`;
        const group = { service, tenant, type, typeLimit, concurrencyKey, keyLimit };
        if (!blocked.has(text) && room.free(group) > 0) {
          room.take(group);
          found.push({ rowid, priority, startAfter, group });
          if (found.length === wanted) return found;
        } else {
          blocked.add(text);
          yield;
        }
      }
    }
    return found;
  }
}

/** Goes on by so many steps; answers what the search found, if it has ended. */
function advanced(search: Generator<void, Candidate[]>, steps: number): Candidate[] | null {
  for (let step = 0; step < steps; step++) {
    const { done, value } = search.next();
    if (done) return value;
  }
  return null;
}
