// Pending operations by what limits them. Walks the groups of a type: all of a full type are left out in one step, and so
// are all of a full key; of each other group the first operation is read, which is one search of the index.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Instant } from "../../base/clock.ts";
import { byStartOrder } from "../../engine/decision.ts";
import type { SlotGroup, SlotRoom } from "../slot-room.ts";
import { allRows, getRow, prepareRows } from "./database.ts";
import type { Candidate, SearchScope } from "./pending-candidate.ts";
import { startConditions } from "./start-walk.ts";

const FROM = `FROM operations INDEXED BY operations_start_slot
  WHERE ${startConditions.operations_start_limited} AND type = ? AND service = ?`;
const GROUP = "tenant = ? AND type_limit = ? AND concurrency_key = ? AND key_limit = ?";

/** Groups read in one statement. */
const HEADS_MAX = 64;

type TenantRow = [tenant: string, typeLimit: number];
type HeadRow = [
  concurrencyKey: string,
  keyLimit: number,
  rowid: number,
  priority: number,
  startAfter: Instant,
  deadline: Instant | null,
];

/** An operation of a group that may start. */
type Head = Candidate & { group: SlotGroup };

/** Prepared once per connection. */
export class SlotGroups {
  readonly #nextLimit: StatementSync;
  readonly #nextTenant: StatementSync;
  readonly #heads: StatementSync;
  readonly #nextPriority: StatementSync;
  readonly #first: StatementSync;

  constructor(database: DatabaseSync) {
    // Not `(tenant, type_limit) > (?, ?)`: SQLite then looks at every row of that tenant and limit on its way.
    this.#nextLimit = prepareRows(
      database,
      `SELECT tenant, type_limit ${FROM} AND tenant = ? AND type_limit > ? ORDER BY type_limit LIMIT 1`,
    );
    this.#nextTenant = prepareRows(
      database,
      `SELECT tenant, type_limit ${FROM} AND tenant > ? ORDER BY tenant, type_limit LIMIT 1`,
    );
    // One statement for all groups of a tenant, two searches for each.
    const head = (after: string, order: string): string => `(SELECT n.rowid
      FROM operations n INDEXED BY operations_start_slot
      WHERE n.start_class = 2 AND n.type = ?1 AND n.service = ?2 AND n.tenant = ?3 AND n.type_limit = ?4 AND ${after}
      ORDER BY ${order}n.key_limit, n.priority DESC, n.start_after LIMIT 1)`;
    const next = (key: string, limit: string): string => `coalesce(
      ${head(`n.concurrency_key = ${key} AND n.key_limit > ${limit}`, "")},
      ${head(`n.concurrency_key > ${key}`, "n.concurrency_key, ")})`;
    this.#heads = prepareRows(
      database,
      `WITH RECURSIVE heads (id) AS (
        SELECT ${next("?5", "?6")}
        UNION ALL
        SELECT ${next("o.concurrency_key", "o.key_limit")} FROM heads JOIN operations o ON o.rowid = heads.id
      )
      SELECT o.concurrency_key, o.key_limit, o.rowid, o.priority, o.start_after, o.deadline
      FROM heads CROSS JOIN operations o ON o.rowid = heads.id
      LIMIT ?7`,
    );
    this.#nextPriority = prepareRows(
      database,
      `SELECT priority ${FROM} AND ${GROUP} AND priority < ? ORDER BY priority DESC LIMIT 1`,
    );
    this.#first = prepareRows(
      database,
      `SELECT rowid, start_after ${FROM} AND ${GROUP} AND priority = ? AND start_after <= ?
        AND (deadline IS NULL OR deadline > ?) ORDER BY start_after LIMIT ?`,
    );
  }

  /** The best operations that may start, in order; yields after each group, so that the caller may give up. */
  *search(scope: SearchScope): Generator<void, Candidate[]> {
    const { type, service, wanted } = scope;
    const room = scope.room.copy();
    const heads: Head[] = [];
    const next = (tenant: string, limit: number): TenantRow | undefined =>
      getRow<TenantRow>(this.#nextLimit, type, service, tenant, limit) ??
      getRow<TenantRow>(this.#nextTenant, type, service, tenant);
    for (let row = next("", -1); row; row = next(...row)) {
      const [tenant, typeLimit] = row;
      const all = { service, tenant, type, typeLimit, concurrencyKey: "", keyLimit: 0 };
      const most = Math.min(wanted, room.free(all));
      // No more than this many of the tenant can start: the later ones need not be compared with others.
      if (most > 0) heads.push(...(yield* this.#headsOf(scope, all, room)).sort(byStartOrder).slice(0, most));
      yield;
    }
    const best = heads.sort(byStartOrder).slice(0, wanted);
    const rest = best.flatMap(({ group, rowid }) =>
      room.free(group) > 1 ? this.#others(scope, group, rowid, Math.min(wanted, room.free(group))) : [],
    );
    return take([...best, ...rest].sort(byStartOrder), wanted, room);
  }

  /** The first operation of each group of a tenant that has room. */
  *#headsOf(scope: SearchScope, all: SlotGroup, room: SlotRoom): Generator<void, Head[]> {
    const { type, service, now, given } = scope;
    const heads: Head[] = [];
    for (const [concurrencyKey, keyLimit, rowid, priority, startAfter, deadline] of this.#headRows(
      type,
      service,
      all,
    )) {
      const group = { ...all, concurrencyKey, keyLimit };
      if (room.free(group) > 0) {
        const isReady = startAfter <= now && (deadline === null || deadline > now) && !given.has(rowid);
        if (isReady) heads.push({ rowid, priority, startAfter, group });
        else heads.push(...this.#ready(scope, group, 1));
      }
      yield;
    }
    return heads;
  }

  /** In portions: the caller may give up after few of thousands. */
  *#headRows(type: string, service: string, { tenant, typeLimit }: SlotGroup): Iterable<HeadRow> {
    let after: [concurrencyKey: string, keyLimit: number] = ["", -1];
    for (;;) {
      const rows = allRows<HeadRow>(this.#heads, type, service, tenant, typeLimit, ...after, HEADS_MAX);
      yield* rows;
      const last = rows.at(-1);
      if (!last || rows.length < HEADS_MAX) return;
      after = [last[0], last[1]];
    }
  }

  #others(scope: SearchScope, group: SlotGroup, head: number, limit: number): Head[] {
    return this.#ready(scope, group, limit).filter(({ rowid }) => rowid !== head);
  }

  /** Up to `limit` operations of a group that are due, in order. */
  #ready({ now, given }: SearchScope, group: SlotGroup, limit: number): Head[] {
    const { type, service, tenant, typeLimit, concurrencyKey, keyLimit } = group;
    const of = [type, service, tenant, typeLimit, concurrencyKey, keyLimit] as const;
    const ready: Head[] = [];
    let row = getRow<[number]>(this.#nextPriority, ...of, Number.MAX_SAFE_INTEGER);
    for (; row && ready.length < limit; row = getRow<[number]>(this.#nextPriority, ...of, row[0])) {
      const [priority] = row;
      const most = limit - ready.length + given.size;
      const rows = allRows<[number, Instant]>(this.#first, ...of, priority, now, now, most);
      for (const [rowid, startAfter] of rows) {
        if (ready.length < limit && !given.has(rowid)) ready.push({ rowid, priority, startAfter, group });
      }
    }
    return ready;
  }
}

/** The first that have room, one after the other. */
function take(ordered: readonly Head[], wanted: number, room: SlotRoom): Candidate[] {
  const taken: Candidate[] = [];
  for (const candidate of ordered) {
    if (taken.length === wanted) break;
    if (room.free(candidate.group) <= 0) continue;
    room.take(candidate.group);
    taken.push(candidate);
  }
  return taken;
}
