// A data folder of the first schema, with rows in every table, opens with this version and keeps all it held.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import test, { type TestContext } from "node:test";
import { knownMigrations } from "./migrator.ts";
import { SqliteStore } from "./sqlite-store.ts";
import { SharedClock } from "./store-clock.ts";

const NOW = 1_795_000_000_000_000;

type Row = Record<string, SQLInputValue>;

const policy: Row = {
  cancellable: 1,
  grace_ms: 10_000,
  critical_ms: 1,
  cleanup_ms: 2,
  kill_ms: 5000,
  max_attempts: 3,
  backoff_ms: 1000,
  backoff_max_ms: 60_000,
  attempt_timeout_ms: 3_600_000,
  stall_timeout_ms: 0,
  retention_ms: 86_400_000,
  on_delete: "keep",
};

const operation: Row = {
  service: "default",
  tenant: "t",
  parent: "",
  type: "ocr.recognize",
  revision: 5,
  create_time: NOW,
  update_time: NOW + 1,
  created_by: "user:ada",
  description: "a page",
  ...policy,
  start_after: NOW,
  attempt: 1,
  lease_token: 2,
};

/** As the first version stored one. */
const cancel = {
  cause: "cancel",
  requestedBy: "user:bob",
  reason: "enough",
  origin: "google/grpc",
  requestTime: NOW + 10,
  graceEndTime: NOW + 20,
  deadline: NOW + 30,
  deliverTime: null,
  acknowledgeTime: null,
  escalateTime: null,
  stopTime: null,
  evidence: null,
  mechanism: null,
  stopConfirmedTime: null,
};
const stopped = { ...cancel, stopTime: NOW + 15, evidence: "HANDLER_STOPPED", mechanism: "SIGNAL" };
const lease = {
  lease_session: "ses-1",
  lease_begun: 1,
  lease_guarded: 1,
  attempt_start_time: NOW,
  next_timer: NOW + 99,
};
const failed = { outcome: "error", outcome_digest: "d", error: '{"code":1,"message":"m","details":[]}' };
const ended = { done_time: NOW + 15, expire_time: NOW + 86_400_000_015 };

const operations: readonly Row[] = [
  { state: "PENDING", id: "a", attempt: 0, lease_token: 0 },
  { state: "RUNNING", id: "b", ...lease, progress_percent: 12.5, progress_message: "page 1" },
  { state: "CANCELLING", id: "c", ...lease, cancel: JSON.stringify(cancel) },
  {
    state: "CANCELLED",
    id: "d",
    ...failed,
    ...ended,
    cancel: JSON.stringify(stopped),
    delete_time: NOW + 16,
  },
  { state: "SUCCEEDED", id: "e", outcome: "response", outcome_digest: "d", ...ended },
  { state: "FAILED", id: "f", ...failed, ...ended, held_session: "ses-1", held_begun: 1, held_guarded: 0 },
];

const of = (id: string): Row => ({ service: "default", tenant: "t", name: `operations/${id}` });

const tables: readonly [table: string, rows: readonly Row[]][] = [
  ["operations", operations.map((row) => ({ ...operation, ...of(String(row["id"])), ...row }))],
  ["payloads", [{ ...of("e"), kind: "response", type_url: "x", bytes: new Uint8Array([1, 2, 3]) }]],
  ["payloads", [{ ...of("d"), kind: "checkpoint", type_url: "x", bytes: new Uint8Array([4]) }]],
  [
    "attempts",
    [
      {
        ...of("f"),
        attempt: 1,
        session: "ses-1",
        start_time: NOW,
        end_time: NOW + 1,
        outcome: "RETRIED",
        error: null,
      },
    ],
  ],
  ["labels", [{ ...of("b"), key: "team", value: "ads" }]],
  [
    "request_keys",
    [{ service: "default", tenant: "t", method: "m", request_id: "r", digest: "d", name: "operations/a" }],
  ],
  [
    "sessions",
    [
      {
        ...{
          session: "ses-1",
          kind: "embedded",
          worker: "w",
          types: '["ocr.recognize"]',
          slots: 4,
          guarded: 1,
        },
        ...{ boot_id: "boot", lease_ms: 10_000, open_time: NOW, heartbeat_time: NOW },
      },
    ],
  ],
  [
    "receipts",
    [
      { ...of("c"), type: "ocr.recognize", cancel: JSON.stringify(cancel), attempt: 1, session: "ses-1" },
      {
        ...{
          ...of("d"),
          type: "ocr.recognize",
          cancel: JSON.stringify(stopped),
          attempt: 1,
          session: "ses-1",
        },
        ...{ outcome: "CANCELLED", done_time: NOW + 4010 },
      },
    ],
  ],
  [
    "receipt_events",
    [
      { ...of("d"), sequence: 1, time: NOW + 10, kind: "REQUESTED", detail: "enough", by: "user:bob" },
      { ...of("c"), sequence: 1, time: NOW + 11, kind: "REQUESTED", detail: "enough", by: "user:bob" },
      { ...of("d"), sequence: 2, time: NOW + 15, kind: "STOPPED", detail: "", by: "ses-1" },
    ],
  ],
  [
    "audit",
    [
      {
        ...{
          ...of("a"),
          position: 41,
          time: NOW,
          action: "start",
          principal: "user:ada",
          origin: "native/grpc",
        },
        ...{ reason: "", revision_before: 0, revision_after: 1 },
      },
    ],
  ],
  [
    "feed",
    [
      { ...of("a"), position: 7, revision: 4, state: "PENDING", time: NOW },
      { ...of("b"), position: 8, revision: 5, state: "RUNNING", time: NOW },
    ],
  ],
];

function insert(database: DatabaseSync, table: string, row: Row): void {
  const columns = Object.keys(row);
  const sql = `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;
  database.prepare(sql).run(...Object.values(row));
}

/** A folder as the first version left it. */
function oldFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "belay-migration-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const first = knownMigrations().find(({ version }) => version === 1);
  assert(first);
  const database = new DatabaseSync(join(folder, "belay.db"), { enableForeignKeyConstraints: true });
  database.exec("PRAGMA journal_mode = WAL");
  const sql = readFileSync(new URL(`../../../migrations/sqlite/${first.file}`, import.meta.url), "utf8");
  database.exec(sql);
  const meta = { id: 1, schema_version: 1, create_time: NOW, last_instant: NOW + 100, boot_id: "" };
  insert(database, "meta", { ...meta, anchor_wall: 0, anchor_boottime: 0, anchor_monotonic: 0 });
  for (const [table, rows] of tables) for (const row of rows) insert(database, table, row);
  database.close();
  return folder;
}

async function open(folder: string): Promise<SqliteStore> {
  return SqliteStore.open(folder, { clock: new SharedClock(NOW + 1000) });
}

test("a folder of the first schema opens and keeps its operations, with neutral new fields", async (t) => {
  const folder = oldFolder(t);
  const store = await open(folder);
  const names = operations.map(({ id }) => of(String(id)));
  for (const [index, key] of names.entries()) {
    const detail = await store.getOperationDetail(key as never);
    assert(detail, String(key["name"]));
    assert.equal(detail.record.state, operations[index]?.["state"]);
    assert.equal(detail.record.revision, 5);
    assert.deepEqual(detail.record.parents, []);
    const { priority, concurrencyKey, supersedeKey, rerunOf, watchDeadline, children, hasOwnCaller } =
      detail.record;
    assert.deepEqual([priority, concurrencyKey, supersedeKey, rerunOf], [0, "", "", ""]);
    assert.deepEqual([watchDeadline, children, hasOwnCaller], [null, null, true]);
    const { typeLimit, keyLimit, unwatchedMs } = detail.record.policy;
    assert.deepEqual([typeLimit, keyLimit, unwatchedMs], [0, 0, 0]);
  }
  const cancelled = await store.getOperation(of("d") as never);
  const asked = { onBehalfOf: "", requestId: "", force: false, deferredBy: null };
  assert.deepEqual(cancelled?.record.cancel, { ...stopped, ...asked });
  assert.deepEqual((await store.getOperation(of("e") as never))?.response?.bytes, new Uint8Array([1, 2, 3]));
  assert.equal((await store.getOperationDetail(of("f") as never))?.attempts.length, 1);
  assert.deepEqual((await store.getOperationDetail(of("b") as never))?.labels, { team: "ads" });
  await store.close();
});

test("a folder of the first schema keeps its receipts, sessions, feed and audit", async (t) => {
  const folder = oldFolder(t);
  const store = await open(folder);
  const receipt = await store.getReceipt(of("d") as never);
  assert.deepEqual(
    receipt?.events.map(({ kind, by }) => [kind, by]),
    [
      ["REQUESTED", "user:bob"],
      ["STOPPED", "ses-1"],
    ],
  );
  assert.equal(receipt?.cancel.force, false);
  assert.deepEqual(receipt?.checkpoint?.bytes, new Uint8Array([4]));
  const unchained = await store.unchainedEvents(10);
  assert.deepEqual(
    unchained.map(({ name, event }) => [name, event.kind]),
    [
      ["operations/d", "REQUESTED"],
      ["operations/c", "REQUESTED"],
      ["operations/d", "STOPPED"],
    ],
  );
  assert.deepEqual(await store.cancelHistory("default", "t", "ocr.recognize"), {
    count: 1,
    p50Ms: 4,
    p90Ms: 4,
    maxMs: 4,
  });
  const [session] = await store.listSessions();
  assert.deepEqual([session?.session, session?.build, session?.principal], ["ses-1", "", ""]);
  assert.deepEqual([session?.running, session?.reserved, session?.held], [2, 0, 1]);
  const feed = { service: "default", tenant: "t", parent: null, filter: "", names: null, limit: 10 };
  const page = await store.readFeed({ ...feed, after: 6 });
  assert.deepEqual(
    page.entries.map(({ position, operation }) => [position, operation?.record.name]),
    [
      [7, "operations/a"],
      [8, "operations/b"],
    ],
  );
  await assert.rejects(store.readFeed({ ...feed, after: 5 }), { reason: "RESUME_TOKEN_EXPIRED" });
  assert.deepEqual(
    (await store.liveCounts()).map(({ state, count }) => [state, count]),
    [
      ["CANCELLING", 1],
      ["PENDING", 1],
      ["RUNNING", 1],
    ],
  );
  const work = await store.pendingWork();
  assert.deepEqual([work.nextStart, work.nextTimer, work.hasUnsweptChildren], [NOW, NOW + 99, false]);
  await store.close();
  const database = new DatabaseSync(join(folder, "belay.db"));
  assert.deepEqual(
    { ...database.prepare("SELECT position, action FROM audit_entries").get() },
    { position: 41, action: "start" },
  );
  database.close();
});

test("an operation of the first schema goes on: it is acquired, cancelled and settled", async (t) => {
  const store = await open(oldFolder(t));
  const acquire = {
    type: "acquire",
    session: "ses-1",
    types: ["ocr.recognize"],
    limit: 5,
    guarded: true,
    begin: true,
  } as const;
  const { outcomes } = await store.commit([acquire]);
  assert.equal(outcomes[0]?.type === "granted" && outcomes[0].grants.length, 1);
  const closed = await store.commit([{ type: "closeSession", session: "ses-1", survivors: [] }]);
  assert.deepEqual(closed.outcomes, [{ type: "settled", count: 4 }]);
  assert.equal((await store.getOperation(of("c") as never))?.record.state, "CANCELLED");
  await store.close();
});

test("a migrated folder holds the same schema as a new one", async (t) => {
  const folder = oldFolder(t);
  await (await open(folder)).close();
  const fresh = mkdtempSync(join(tmpdir(), "belay-migration-"));
  t.after(() => rmSync(fresh, { recursive: true, force: true }));
  await (await open(fresh)).close();
  assert.deepEqual(schemaOf(folder), schemaOf(fresh));
});

function schemaOf(folder: string): unknown[] {
  const database = new DatabaseSync(join(folder, "belay.db"), { readOnly: true });
  const rows = database
    .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")
    .all();
  database.close();
  return rows.map((row) => ({ ...row }));
}
