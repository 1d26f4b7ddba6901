// Many stored operations at once: copies of a few that the engine itself has made and ended, with every row that is theirs.
// What the tables are is read from the database: of a schema this file knows no more than that an operation is found by
// (service, tenant, name), that instants are microseconds since 1970, and what the feed and the chains count.
import pg from "pg";
import { type Instant, MICROS_PER_MS } from "../../src/base/clock.ts";
import { makeId } from "../../src/base/ids.ts";

/** Cycles of all samples that one transaction writes. */
const CYCLES = 100;
/** Connections that write at once. */
const WRITERS = 2;
/** Larger numbers are instants: 2001 in microseconds; nothing else in the schema comes near. */
const INSTANT_MIN = 1e15;
/** How long the copies' lives are spread over, back from now: no retention passes while they are measured. */
const SPREAD: Instant = 20 * 3600 * 1000 * MICROS_PER_MS;

interface TableColumns {
  table: string;
  columns: readonly { column: string; type: string }[];
}

interface Sample {
  place: number;
  prefix: string;
  createTime: Instant;
}

/** How the copies follow each other: cycle n of all samples lies `n` gaps after the beginning. */
interface Course {
  cycles: number;
  samples: readonly Sample[];
  tables: readonly TableColumns[];
  gap: Instant;
  /** Positions of the feed that one cycle takes. */
  positions: number;
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  // Row by row, triggers would look at what the samples went through already; CHECKs stay.
  await client.query("SET session_replication_role = replica");
  await client.query("SET synchronous_commit = off");
  await client.query("SET work_mem = '128MB'");
  return client;
}

async function tablesOf(client: pg.Client): Promise<TableColumns[]> {
  const { rows } = await client.query<{ table: string; column: string; type: string }>(
    `SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, NULL) AS type
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = '' AND a.attgenerated = ''
      ORDER BY c.relname, a.attnum`,
  );
  const tables = Map.groupBy(rows, ({ table }) => table);
  return [...tables].map(([table, columns]) => ({ table, columns }));
}

const has = ({ columns }: TableColumns, ...names: string[]): boolean =>
  names.every((name) => columns.some(({ column }) => column === name));
/** Tables whose rows are each one operation's. */
const isOfOperations = (table: TableColumns): boolean => has(table, "service", "tenant", "name");

/** Keeps the samples' rows apart: later copies must not be copied again. */
async function keepSamples(client: pg.Client, tables: readonly TableColumns[]): Promise<Sample[]> {
  await client.query("CREATE SCHEMA samples");
  // Only what has ended is copied, in the order in which it was made.
  await client.query(`CREATE TABLE samples.places AS
    SELECT (row_number() OVER (ORDER BY create_time, id))::INT AS place, service, tenant, name, id, create_time
    FROM operations WHERE done_time IS NOT NULL`);
  for (const { table } of tables.filter(isOfOperations)) {
    await client.query(
      `CREATE TABLE samples.${table} AS SELECT p.place, t.* FROM ${table} t JOIN samples.places p USING (service, tenant, name)`,
    );
  }
  await client.query("CREATE TABLE samples.feed AS SELECT * FROM feed ORDER BY position");
  for (const { table } of [...tables.filter(isOfOperations), { table: "feed" }, { table: "places" }])
    await client.query(`ANALYZE samples.${table}`);
  const { rows } = await client.query<{ place: number; id: string; create_time: string }>(
    "SELECT place, id, create_time FROM samples.places ORDER BY place",
  );
  return rows.map(({ place, id, create_time: createTime }) => ({
    place,
    prefix: id.slice(0, 3),
    createTime: Number(createTime),
  }));
}

/** What a column of a copy says: `t` is the sample's row, `c` the copy. */
function copied(table: string, column: string, type: string): string {
  if (column === "name") return "c.name";
  if (table === "operations" && column === "id") return "c.id";
  // As random as a caller's.
  if (table === "request_keys" && column === "request_id") return "md5(c.id)::UUID::TEXT";
  if (table === "chain_entries" && column === "sequence") {
    return `t.sequence + c.cycle * (SELECT max(sequence) FROM samples.chain_entries x
      WHERE x.service = t.service AND x.tenant = t.tenant)`;
  }
  if (type === "bigint")
    return `CASE WHEN t.${column} > ${INSTANT_MIN} THEN t.${column} + c.shift ELSE t.${column} END`;
  return `t.${column}`;
}

function copyRows({ table, columns }: TableColumns): string {
  const names = columns.map(({ column }) => `"${column}"`).join(", ");
  const values = columns.map(({ column, type }) => copied(table, column, type)).join(", ");
  return `INSERT INTO ${table} (${names}) SELECT ${values}
    FROM copies c JOIN samples.${table} t ON t.place = c.place ORDER BY c.cycle, c.place`;
}

/** The feed's rows of a cycle: batches as the engine made them, with the copies' names and times. */
function copyFeed({ columns }: TableColumns): string {
  const names = columns.map(({ column }) => `"${column}"`).join(", ");
  const value = ({ column, type }: { column: string; type: string }): string => {
    if (column === "position") return "t.position + s.cycle * $1::BIGINT";
    if (column === "names") {
      return `ARRAY(SELECT coalesce(c.name, e.name) FROM unnest(t.names) WITH ORDINALITY e (name, nth)
        LEFT JOIN samples.places p ON p.name = e.name LEFT JOIN copies c ON c.cycle = s.cycle AND c.place = p.place
        ORDER BY e.nth)`;
    }
    if (type === "bigint[]") {
      return `ARRAY(SELECT CASE WHEN e > ${INSTANT_MIN} THEN e + s.shift ELSE e END
        FROM unnest(t.${column}) WITH ORDINALITY u (e, nth) ORDER BY nth)`;
    }
    return type === "bigint" ? `t.${column} + s.shift` : `t.${column}`;
  };
  return `INSERT INTO feed (${names}) SELECT ${columns.map(value).join(", ")}
    FROM (SELECT DISTINCT cycle, shift FROM copies) s CROSS JOIN samples.feed t ORDER BY s.cycle, t.position`;
}

/** Writes cycles `from` to `to` in one transaction. */
async function copyCycles(client: pg.Client, course: Course, [from, to]: [number, number]): Promise<void> {
  const cycles: number[] = [];
  const places: number[] = [];
  const ids: string[] = [];
  const shifts: number[] = [];
  for (let cycle = from; cycle <= to; cycle++) {
    const shift = cycle * course.gap - SPREAD;
    for (const { place, prefix, createTime } of course.samples) {
      cycles.push(cycle);
      places.push(place);
      ids.push(makeId(prefix, createTime + shift));
      shifts.push(shift);
    }
  }
  await client.query("BEGIN");
  await client.query("TRUNCATE copies");
  await client.query(
    `INSERT INTO copies SELECT c.cycle, c.place, c.id, replace(p.name, p.id, c.id), c.shift
      FROM unnest($1::BIGINT[], $2::INT[], $3::TEXT[], $4::BIGINT[]) c (cycle, place, id, shift)
      JOIN samples.places p USING (place)`,
    [cycles, places, ids, shifts],
  );
  await client.query("ANALYZE copies");
  for (const table of course.tables.filter(isOfOperations)) await client.query(copyRows(table));
  for (const table of course.tables.filter(({ table }) => table === "feed"))
    await client.query(copyFeed(table), [course.positions]);
  await client.query("COMMIT");
}

/**
 * Takes the indexes away, and answers how to make them again: many times faster than one entry after the other.
 */
async function dropIndexes(client: pg.Client): Promise<string[][]> {
  const { rows } = await client.query<{
    table: string;
    index: string;
    made: string;
    constraint: string | null;
  }>(
    `SELECT i.indrelid::regclass::TEXT AS table, c.relname AS index, pg_get_indexdef(i.indexrelid) AS made,
        CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' END AS constraint
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
      LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u')
      WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1, 2`,
  );
  for (const { table, index, constraint } of rows)
    await client.query(
      constraint === null ? `DROP INDEX ${index}` : `ALTER TABLE ${table} DROP CONSTRAINT ${index}`,
    );
  return rows.map(({ table, index, made, constraint }) => [
    made,
    ...(constraint === null
      ? []
      : [`ALTER TABLE ${table} ADD CONSTRAINT ${index} ${constraint} USING INDEX ${index}`]),
  ]);
}

/** Tables one after the other: those of one may not be made at once. */
async function makeIndexes(clients: readonly pg.Client[], indexes: string[][]): Promise<void> {
  await Promise.all(
    clients.map(async (client) => {
      await client.query("SET maintenance_work_mem = '1GB'");
      await client.query("SET max_parallel_maintenance_workers = 0");
      for (let index = indexes.shift(); index; index = indexes.shift())
        for (const statement of index) await client.query(statement);
    }),
  );
}

/**
 * Adds copies of the done operations of a database until there are `count` of them, back over 20 hours, and brings the
 * database into the state in which it would be had they come one by one: statistics, visibility, nothing left to write.
 * No process may use the database meanwhile. Answers how many seconds the rows took, and the rest.
 */
export async function copyLives(
  url: string,
  count: number,
  onProgress: (copied: number) => void,
): Promise<{ loadSeconds: number; settleSeconds: number }> {
  const began = performance.now();
  const clients = await Promise.all(Array.from({ length: WRITERS }, () => connected(url)));
  const [first] = clients;
  if (!first) throw new Error("nobody writes");
  const tables = await tablesOf(first);
  const samples = await keepSamples(first, tables);
  const { rows } = await first.query<{ feed_position: string }>("SELECT feed_position FROM meta");
  const positions = Number(rows[0]?.feed_position);
  const cycles = Math.ceil(count / samples.length) - 1;
  const course: Course = { cycles, samples, tables, gap: Math.floor(SPREAD / (cycles + 1)), positions };
  const indexes = await dropIndexes(first);
  let next = 1;
  await Promise.all(
    clients.map(async (client) => {
      await client.query(
        "CREATE TEMP TABLE copies (cycle BIGINT, place INT, id TEXT, name TEXT, shift BIGINT, PRIMARY KEY (cycle, place))",
      );
      while (next <= cycles) {
        const from = next;
        next = Math.min(from + CYCLES, cycles + 1);
        await copyCycles(client, course, [from, next - 1]);
        onProgress((next - 1) * samples.length);
      }
    }),
  );
  await makeIndexes(clients, indexes);
  await first.query("UPDATE meta SET feed_position = feed_position * $1", [cycles + 1]);
  await first.query("DROP SCHEMA samples CASCADE");
  const loaded = performance.now();
  await Promise.all(
    clients.map(async (client, nth) => {
      // More than its ring of 2 MB, or it waits for the log at each turn.
      await client.query("SET vacuum_buffer_usage_limit = '128MB'");
      for (const { table } of tables.filter((_, place) => place % WRITERS === nth))
        await client.query(`VACUUM (ANALYZE) ${table}`);
    }),
  );
  await first.query("CHECKPOINT");
  await Promise.all(clients.map((client) => client.end()));
  return { loadSeconds: (loaded - began) / 1000, settleSeconds: (performance.now() - loaded) / 1000 };
}

/** The bytes of a database's largest tables with their indexes, and of all of it. */
export async function diskUse(
  url: string,
): Promise<{ table: string; rowBytes: number; indexBytes: number }[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ table: string; row_bytes: string; index_bytes: string }>(
    `SELECT relname AS table, pg_table_size(oid) AS row_bytes, pg_indexes_size(oid) AS index_bytes FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY pg_total_relation_size(oid) DESC`,
  );
  await client.end();
  return rows.map((row) => ({
    table: row.table,
    rowBytes: Number(row.row_bytes),
    indexBytes: Number(row.index_bytes),
  }));
}
