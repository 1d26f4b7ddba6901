// Reads on PostgreSQL, beyond what every store promises: several nodes at once, what PostgreSQL cannot hold, and bounds.
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import type { ChainEntry, FeedQuery, ListQuery } from "../../src/engine/store.ts";
import { PostgresPool } from "../../src/stores/postgres/postgres-pool.ts";
import { PostgresReads } from "../../src/stores/postgres/postgres-reads.ts";
import {
  addSampleOperations,
  EPOCH,
  RETENTION_MS,
  SERVICE,
  sampleDatabase,
  sampleName,
  TENANT,
} from "./sample-operations.ts";
import { sharedPostgres } from "./shared-postgres.ts";
import type { TestDatabases } from "./test-databases.ts";

const COUNT = 12_000;
const DAY = 86_400_000_000;
const scope = { service: SERVICE, tenant: TENANT };

let databases: TestDatabases;
let database = "";
let now = EPOCH + COUNT * 1000;
const pools: PostgresPool[] = [];
/** Two nodes. */
const nodes: PostgresReads[] = [];

before(async () => {
  databases = await sharedPostgres();
  const made = await sampleDatabase(databases);
  database = made.name;
  await addSampleOperations(databases, database, [0, COUNT - 1]);
  for (let node = 0; node < 2; node++) {
    const pool = new PostgresPool({ url: made.url, poolSize: 3 }, 0);
    pools.push(pool);
    nodes.push(new PostgresReads({ connections: pool, clock: { now: () => now } }));
  }
});
after(async () => {
  for (const pool of pools) await pool.close();
  if (database !== "") await databases.dropDatabase(database);
});

function node(index = 0): PostgresReads {
  const reads = nodes[index];
  assert(reads);
  return reads;
}

function query(changes: Partial<ListQuery> = {}): ListQuery {
  return { ...scope, parent: "", filter: "", pageSize: 100, pageToken: "", ...changes };
}

async function count(table: string, where = "TRUE"): Promise<number> {
  const [row] = await databases.query(`SELECT count(*)::INT AS n FROM ${table} WHERE ${where}`, [], database);
  return Number(row?.["n"]);
}

test("500 reads of one moment are answered each with its own operation", async () => {
  const indexes = Array.from({ length: 500 }, (_, index) => (index * 7919) % COUNT);
  const found = await Promise.all(indexes.map((i) => node().getOperation({ ...scope, name: sampleName(i) })));
  assert.deepEqual(
    found.map((stored) => stored?.record.name),
    indexes.map(sampleName),
  );
  assert.deepEqual(
    found.map((stored) => stored?.response !== null),
    found.map((stored) => stored?.record.state === "SUCCEEDED"),
  );
});

test("500 details of one moment are each what the detail alone is, and of what is not there there is none", async () => {
  const names = [
    ...Array.from({ length: 499 }, (_, index) => sampleName((index * 7919) % COUNT)),
    "operations/no",
  ];
  const keys = names.map((name) => ({ ...scope, name }));
  const found = await Promise.all(keys.map((key) => node().getOperationDetail(key)));
  assert.equal(found.at(-1), undefined);
  for (const index of [0, 1, 2, 3, 250, 498]) {
    const alone = await node().getOperationDetail(keys[index]!);
    assert.deepEqual(found[index], alone);
    assert.equal(alone?.record.name, names[index]);
  }
});

test("a name with U+0000, which PostgreSQL keeps nowhere, is of no operation", async () => {
  const key = { ...scope, name: `${sampleName(1)}\0` };
  assert.equal(await node().getOperation(key), undefined);
  assert.equal(await node().getOperationDetail(key), undefined);
  assert.equal(await node().getReceipt(key), undefined);
});

test("a filter with a number that no column holds is answered", async () => {
  const list = async (filter: string): Promise<number> =>
    (await node().listOperations(query({ filter }))).operations.length;
  assert.equal(await list("priority<1e300"), 100);
  assert.equal(await list('create_time<"9999-12-31T23:59:59Z"'), 100);
  assert.equal(await list('create_time>"2000-01-01T00:00:00.0000005Z"'), 100);
});

test("more shapes of filters than stay prepared are answered all the same", async () => {
  for (let shape = 1; shape <= 110; shape++) {
    const words = [0, 1, 2, 3, 4, 5, 6].map((bit) => ((shape >> bit) & 1 ? "AND" : "OR"));
    const filter = words.reduce((text, word) => `(${text} ${word} type=type-1)`, "type=type-1");
    const page = await node().listOperations(query({ filter, pageSize: 1 }));
    assert.equal(page.operations[0]?.record.type, "type-1");
  }
});

test("a page token of one node is opened by another, and so is a resume token", async () => {
  const first = await node(0).listOperations(query({ pageSize: 10 }));
  const second = await node(1).listOperations(query({ pageSize: 10, pageToken: first.nextPageToken }));
  const both = await node(1).listOperations(query({ pageSize: 20 }));
  assert.deepEqual([...first.operations, ...second.operations], both.operations);
  assert.equal(await node(1).openToken(scope, await node(0).sealToken(scope, 4711)), 4711);
});

test("the whole list comes once, page by page, whatever the filter leaves out", async () => {
  const names: string[] = [];
  let pages = 0;
  for (let pageToken = ""; pages === 0 || pageToken !== ""; pages++) {
    const page = await node().listOperations(query({ filter: "type=type-1", pageSize: 1000, pageToken }));
    names.push(...page.operations.map(({ record }) => record.name));
    pageToken = page.nextPageToken;
  }
  const expected: string[] = [];
  for (let i = COUNT - 1; i >= 0; i--) if (i % 5 === 1 && i % 50 !== 3) expected.push(sampleName(i));
  assert.deepEqual(names, expected);
});

test("the feed is read from the middle of a batch to the middle of another", async () => {
  const feed: FeedQuery = { ...scope, parent: null, filter: "", names: null, after: 25, limit: 60 };
  const page = await node().readFeed(feed);
  assert.deepEqual(
    page.entries.map(({ position, name }) => [position, name]),
    Array.from({ length: 60 }, (_, index) => [26 + index, sampleName(25 + index)]),
  );
  assert.deepEqual([page.position, page.isAtEnd], [85, false]);
  const name = sampleName(9000);
  const found = await node().readFeed({ ...feed, names: [name] });
  assert.deepEqual(
    found.entries.map(({ position }) => position),
    [9001],
  );
  const many = Array.from({ length: 200 }, (_, index) => sampleName(index * 40));
  const some = await node().readFeed({ ...feed, names: many, after: 7000, limit: 10 });
  assert.deepEqual(
    some.entries.map(({ position }) => position),
    Array.from({ length: 10 }, (_, index) => 7001 + index * 40),
  );
});

test("a read of the feed looks at 10,000 positions at most, and goes on behind them", async () => {
  const feed: FeedQuery = { ...scope, parent: null, filter: "", names: ["x"], after: 0, limit: 100 };
  assert.deepEqual(await node().readFeed(feed), { entries: [], position: 10_000, isAtEnd: false });
  assert.deepEqual(await node().readFeed({ ...feed, after: 10_000 }), {
    entries: [],
    position: COUNT,
    isAtEnd: true,
  });
});

test("children come in the order in which they were linked", async () => {
  const children = await node().listChildren({ ...scope, name: sampleName(300) }, 4);
  assert.deepEqual(
    children.map(({ name }) => name),
    [307, 317, 327, 337].map(sampleName),
  );
});

test("live operations are counted; the sessions' slots and the earliest start are known", async () => {
  const counts = await node().liveCounts();
  assert.equal(
    counts.reduce((sum, row) => sum + row.count, 0),
    (COUNT / 50) * 2,
  );
  const { nextStart, nextTimer } = await node().pendingWork();
  assert.deepEqual([nextStart, nextTimer], [EPOCH + 1000, EPOCH + 2000 + 3_600_000_000]);
  assert.equal((await node().sessionGrants("ses-1")).length, COUNT / 50);
});

test("of two nodes that append to a chain at once, one does, and the other is refused", async () => {
  const events = await node().unchainedEvents(4);
  const entries = (tag: string): (ChainEntry & { position: number })[] =>
    events.map(({ name, position }, index) => ({
      ...{ ...scope, name, position, sequence: index + 1 },
      ...{ content: tag, hash: `${tag} ${index}` },
    }));
  const results = await Promise.allSettled([
    node(0).appendChain(entries("a"), []),
    node(1).appendChain(entries("b"), []),
  ]);
  assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  const { entries: chain } = await node().readChain({ ...scope, after: 0, limit: 10 });
  assert.equal(chain.length, 4);
  assert.equal(new Set(chain.map(({ content }) => content)).size, 1, "no chain of two nodes' entries");
  const [next] = await node().unchainedEvents(1);
  assert(next && next.position > (events.at(-1)?.position ?? 0));
});

test("two nodes without a key for tokens make some, and each opens what the other sealed", async () => {
  await databases.query("DELETE FROM keys", [], database);
  const clock = { now: () => now };
  const fresh = pools.map((connections) => new PostgresReads({ connections, clock }));
  const tokens = await Promise.all(fresh.map((reads) => reads.sealToken(scope, 5)));
  for (const reads of fresh) {
    for (const token of tokens) assert.equal(await reads.openToken(scope, token), 5);
  }
});

test("two nodes purge at once: each done operation goes once, with all that is its, and what is not done stays", async () => {
  const live = await count("operations", "done_time IS NULL");
  now = EPOCH + COUNT * 1000 + RETENTION_MS * 1000;
  const purged = await Promise.all(nodes.map((reads) => reads.purge(COUNT)));
  // A batch that the other node has locked is left to it.
  const rest = await node().purge(COUNT);
  assert.equal(
    purged.reduce((sum, some) => sum + some, rest),
    COUNT - live,
  );
  assert.equal(await count("operations"), live);
  for (const table of ["payloads", "labels", "request_keys", "attempts", "child_links"]) {
    const orphans = await count(
      `${table} t`,
      "NOT EXISTS (SELECT 1 FROM operations o WHERE (o.service, o.tenant, o.name) = (t.service, t.tenant, t.name))",
    );
    assert.equal(orphans, 0, table);
  }
  const receipt = await node().getReceipt({ ...scope, name: sampleName(4) });
  assert(receipt?.checkpoint, "the checkpoint is the receipt's now");
  assert.equal(receipt.events.length, 2);
});

test("two nodes purge the feed at once: what they removed is noted, and never less", async () => {
  now += 8 * DAY;
  await Promise.all(nodes.map((reads) => reads.purge(1)));
  await node().purge(1);
  assert.equal(await count("feed"), 0);
  const feed: FeedQuery = { ...scope, parent: null, filter: "", names: null, after: COUNT - 1, limit: 1 };
  await assert.rejects(node().readFeed(feed), { reason: "RESUME_TOKEN_EXPIRED" });
  assert.deepEqual(await node().readFeed({ ...feed, after: COUNT }), {
    entries: [],
    position: COUNT,
    isAtEnd: true,
  });
});

test("receipts that may go are found behind thousands that are kept, some thousands a purge", async () => {
  const kept = 11_000;
  now += 500 * DAY;
  await node().purge(1);
  const receipt = `INSERT INTO receipts (service, tenant, name, type, cancel, outcome, done_time, attempt, session)
    SELECT '${SERVICE}', '${TENANT}', 'old-' || i, 't', '{}', 'CANCELLED', i, 1, '' FROM generate_series(1, $1::INT) i`;
  await databases.query(receipt, [kept + 1], database);
  // What no chain holds yet is kept.
  const event = `INSERT INTO receipt_events (service, tenant, name, sequence, time, kind, detail, by)
    SELECT '${SERVICE}', '${TENANT}', 'old-' || i, 1, i, 'REQUESTED', '', 'user:1' FROM generate_series(1, $1::INT) i`;
  await databases.query(event, [kept], database);
  await node().purge(1);
  assert.equal(await count("receipts", `name = 'old-${kept + 1}'`), 1, "one purge looks at 10,000");
  await node().purge(1);
  assert.equal(await count("receipts", `name = 'old-${kept + 1}'`), 0);
  assert.equal(await count("receipts", "name LIKE 'old-%'"), kept);
  await databases.query("UPDATE receipt_events SET chained = 1 WHERE name LIKE 'old-%'", [], database);
  await node().purge(1);
  assert.equal(await count("receipts", "name LIKE 'old-%'"), 0);
});
