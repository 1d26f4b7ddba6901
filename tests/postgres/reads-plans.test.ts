// The plans of reads: made while the tables are empty or small, as on a new database, and kept while they grow. None may
// look at more than its answer needs.
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { PostgresPool } from "../../src/stores/postgres/postgres-pool.ts";
import { PostgresReads } from "../../src/stores/postgres/postgres-reads.ts";
import type {
  BindValue,
  ColumnValue,
  PostgresConnections,
  Queryable,
  Statement,
} from "../../src/stores/postgres/queryable.ts";
import { addSampleOperations, EPOCH, RETENTION_MS, sampleDatabase, sampleName } from "./sample-operations.ts";
import { sharedPostgres } from "./shared-postgres.ts";
import type { TestDatabases } from "./test-databases.ts";

const SMALL = 100;
const COUNT = 20_000;

interface Plan {
  "Node Type": string;
  "Relation Name"?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  "Shared Hit Blocks": number;
  "Shared Read Blocks": number;
  Plans?: Plan[];
}

function literal(value: BindValue): string {
  if (value === null) return "NULL";
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return `'${value.replaceAll("'", "''")}'`;
  if (value instanceof Uint8Array) return `'\\x${Buffer.from(value).toString("hex")}'`;
  return `ARRAY[${value.map((item) => literal(item as BindValue)).join(", ")}]`;
}

/** Explains each statement, in the plan that its connection keeps for it, before it runs it. */
class ExplainedConnections implements PostgresConnections {
  readonly #connection: Queryable;
  readonly #known = new Set<string>();
  isExplaining = false;
  plans: { statement: Statement; plan: Plan }[] = [];

  constructor(connection: Queryable) {
    this.#connection = connection;
  }

  async rows<Row extends readonly ColumnValue[]>(
    statement: Statement,
    values: readonly BindValue[] = [],
  ): Promise<Row[]> {
    const isKnown = this.#known.has(statement.name);
    this.#known.add(statement.name);
    const writes = /\b(DELETE|INSERT|UPDATE) /.test(statement.text);
    if (!isKnown && !writes) await this.#connection.rows<Row>(statement, values);
    if (this.isExplaining && (isKnown || !writes)) {
      // Prepared by its name already: what is explained is the plan that is kept. To explain is to run.
      const given = values.length === 0 ? "" : `(${values.map(literal).join(", ")})`;
      const text = `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE "${statement.name}"${given}`;
      const [row] = await this.#connection.rows<[string]>({ name: "", text });
      const [{ Plan: plan }] = JSON.parse(row?.[0] ?? "") as [{ Plan: Plan }];
      this.plans.push({ statement, plan });
      if (writes) return [];
    }
    return this.#connection.rows<Row>(statement, values);
  }

  transaction<T>(work: (connection: Queryable) => Promise<T>): Promise<T> {
    return work(this);
  }
}

const ALWAYS_SMALL: ReadonlySet<string> = new Set(["meta", "keys", "sessions", "declared_types"]);

/** The most rows that any node of a plan looked at, and the tables that it read from end to end. */
function cost(plan: Plan): { looked: number; scanned: string[] } {
  const { "Actual Rows": rows, "Actual Loops": loops, "Rows Removed by Filter": removed = 0 } = plan;
  const table = plan["Relation Name"];
  const below = (plan.Plans ?? []).map(cost);
  const isScan =
    plan["Node Type"] === "Seq Scan" && table !== undefined && !ALWAYS_SMALL.has(table) && loops > 0;
  return {
    looked:
      (table === undefined ? 0 : (rows + removed) * loops) +
      below.reduce((sum, { looked }) => sum + looked, 0),
    scanned: [...(isScan ? [table] : []), ...below.flatMap(({ scanned }) => scanned)],
  };
}

const scope = { service: "default", tenant: "t" };
const key = { ...scope, name: sampleName(14) };
const list = { ...scope, parent: "", filter: "", pageSize: 50, pageToken: "" };
const feed = { ...scope, parent: null, filter: "", names: null, after: 0, limit: 50 };

/** Each read with the most rows that it may look at, on a database of 20,000 operations. */
const reads: readonly [title: string, read: (reads: PostgresReads) => Promise<unknown>, mostRows: number][] =
  [
    ["getOperation", (store) => store.getOperation(key), 3],
    [
      "getOperation of 100 at once",
      (store) =>
        Promise.all(
          Array.from({ length: 100 }, (_, i) => store.getOperation({ ...scope, name: sampleName(i) })),
        ),
      300,
    ],
    ["getOperationDetail", (store) => store.getOperationDetail(key), 10],
    [
      "getOperationDetail of 100 at once",
      (store) =>
        Promise.all(
          Array.from({ length: 100 }, (_, i) => store.getOperationDetail({ ...scope, name: sampleName(i) })),
        ),
      1000,
    ],
    ["getReceipt", (store) => store.getReceipt(key), 10],
    ["a page", (store) => store.listOperations(list), 300],
    ["a page, oldest first", (store) => store.listOperations({ ...list, orderBy: "create_time" }), 300],
    ["a page with deleted ones", (store) => store.listOperations({ ...list, showDeleted: true }), 300],
    ["a page of live ones", (store) => store.listOperations({ ...list, filter: "done=false" }), 300],
    ["a page of a type", (store) => store.listOperations({ ...list, filter: "type=type-1" }), 600],
    ["a page by label", (store) => store.listOperations({ ...list, filter: "labels.env=type-1" }), 900],
    ["a page without a match", (store) => store.listOperations({ ...list, filter: "type=none" }), 10_010],
    ["pendingWork", (store) => store.pendingWork(), 20],
    ["listSessions", (store) => store.listSessions(), 500],
    ["sessionGrants of 400", (store) => store.sessionGrants("ses-1"), 2000],
    ["listChildren", (store) => store.listChildren({ ...scope, name: sampleName(100) }, 5), 10],
    [
      "slotUsers",
      (store) => store.slotUsers({ ...scope, type: "type-2", concurrencyKey: "" }, 5),
      // Those with a lease.
      1000,
    ],
    ["heldCount", (store) => store.heldCount(), 0],
    ["liveCounts of 800", (store) => store.liveCounts(), 800],
    ["cancelHistory", (store) => store.cancelHistory("default", "t", "type-4"), 100],
    ["readFeed", (store) => store.readFeed(feed), 300],
    ["readFeed by name", (store) => store.readFeed({ ...feed, names: [sampleName(9)] }), 500],
    ["readFeed by filter", (store) => store.readFeed({ ...feed, filter: "type=none" }), 6500],
    ["feedPosition", (store) => store.feedPosition(), 1],
    ["unchainedEvents", (store) => store.unchainedEvents(10), 20],
    ["chainHead", (store) => store.chainHead("default", "t"), 1],
    ["readChain", (store) => store.readChain({ ...scope, after: 0, limit: 10 }), 10],
    // 500 operations, 200 rows of the feed, 2,000 rows of the audit log.
    ["purge", (store) => store.purge(500), 5500],
  ];

let databases: TestDatabases;
before(async () => {
  databases = await sharedPostgres();
});

for (const begin of ["empty and never analysed", "small and analysed"] as const) {
  test(`plans made on tables that are ${begin} hold for ${COUNT} operations`, async (t) => {
    const { name, url } = await sampleDatabase(databases);
    const pool = new PostgresPool({ url, poolSize: 1 }, 0);
    after(async () => {
      await pool.close();
      await databases.dropDatabase(name);
    });
    const connection = new ExplainedConnections(await pool.connect(true));
    let now = EPOCH;
    const store = new PostgresReads({ connections: connection, clock: { now: () => now } });
    if (begin === "small and analysed") {
      await addSampleOperations(databases, name, [0, SMALL - 1]);
      await databases.query("VACUUM ANALYZE", [], name);
      // Some are purged.
      now += RETENTION_MS * 1000 + (SMALL / 2) * 1000;
    }
    for (const [, read] of reads) await read(store);
    await addSampleOperations(databases, name, [SMALL, COUNT - 1]);
    // The older half of what is done, and all of the logs, are past their time.
    now = EPOCH + RETENTION_MS * 1000 + (COUNT / 2) * 1000;
    connection.isExplaining = true;
    for (const [title, read, mostRows] of reads) {
      connection.plans = [];
      await t.test(title, async () => {
        await read(store);
        assert(connection.plans.length > 0);
        const costs = connection.plans.map(({ plan }) => cost(plan));
        assert.deepEqual(
          costs.flatMap(({ scanned }) => scanned),
          [],
          JSON.stringify(connection.plans),
        );
        const looked = costs.reduce((sum, each) => sum + each.looked, 0);
        assert(looked <= mostRows, `${looked} rows were looked at: ${JSON.stringify(connection.plans)}`);
      });
    }
  });
}
