// The feed is one row a batch, in SQLite for each tenant, too, and its forms differ. Positions stay, so that a watch goes on
// where it was.
import type { Queryable } from "../../stores/postgres/queryable.ts";
import type { MoveSource } from "./move-source.ts";
import { hashRows, type MoveResult } from "./move-table.ts";
import { type CellValue, RowHash } from "./row-hash.ts";

const EVENTS_PER_ROW = 200;

type EventRow = [
  position: number,
  service: string,
  tenant: string,
  name: string,
  type: string,
  revision: number,
  state: string,
  time: number,
  deleted: number,
];

// Along the table, and sorted within a row only.
const events = `SELECT f.position - f.count + 1 + e.key, f.service, f.tenant, e.value ->> 0, coalesce(o.type, ''),
    e.value ->> 1, e.value ->> 2, e.value ->> 3, CASE WHEN e.value ->> 3 >= o.delete_time THEN 1 ELSE 0 END
  FROM feed f CROSS JOIN json_each(f.events) e
    LEFT JOIN operations o ON o.service = f.service AND o.tenant = f.tenant AND o.name = e.value ->> 0
  ORDER BY f.position, e.key`;

const insert = {
  name: "move_insert_feed",
  text: `INSERT INTO feed (position, time, services, tenants, names, types, revisions, states, times, deleted)
    VALUES ($1, $2, $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::BIGINT[], $8::TEXT[], $9::BIGINT[], $10::SMALLINT[])`,
};

const back = `SELECT f.position - cardinality(f.names) + e.at, e.service, e.tenant, e.name, e.type, e.revision, e.state,
    e.time, e.deleted
  FROM feed f, unnest(services, tenants, names, types, revisions, states, times, deleted) WITH ORDINALITY
    AS e(service, tenant, name, type, revision, state, time, deleted, at)`;

export async function moveFeed(source: MoveSource, target: Queryable): Promise<MoveResult> {
  const hash = new RowHash();
  let row: EventRow[] = [];
  const flush = async (): Promise<void> => {
    const last = row.at(-1);
    if (!last) return;
    const column = (index: number): CellValue[] => row.map((event) => event[index] ?? null);
    await target.rows(insert, [last[0], last[7], ...[1, 2, 3, 4, 5, 6, 7, 8].map(column)]);
    row = [];
  };
  for (const event of source.rows(events) as Iterable<EventRow>) {
    hash.add(event);
    const last = row.at(-1);
    // A row says its first position by its length: there is no gap in it.
    if (last && (row.length >= EVENTS_PER_ROW || event[0] !== last[0] + 1)) await flush();
    row.push(event);
  }
  await flush();
  const read = await hashRows(target, back, EVENTS_PER_ROW * 5);
  return {
    table: "feed",
    source: { count: hash.count, hash: hash.text },
    target: { count: read.count, hash: read.text },
    changedTexts: 0,
  };
}
