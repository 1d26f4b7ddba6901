// The schema's own guard: statements that would break an invariant are refused by the database, whoever runs them.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import test, { after } from "node:test";
import { parseListFilter } from "../list-filter.ts";
import { commitWrites } from "./commit-statements.ts";
import { openWriteConnection } from "./database.ts";
import { compileListFilter } from "./list-filter-sql.ts";
import { indexOf, listArms, listOperations, listWindowEnd } from "./list-statements.ts";
import { migrate } from "./migrator.ts";
import { startConditions } from "./start-walk.ts";

const folder = mkdtempSync(join(tmpdir(), "belay-schema-"));
const database = openWriteConnection(join(folder, "belay.db"), 1000);
migrate(database, "belay.db", 1);
after(() => {
  database.close();
  rmSync(folder, { recursive: true });
});

let rows = 0;

const defaults = {
  service: "s",
  tenant: "t",
  parent: "",
  type: "x.y",
  state: "PENDING",
  revision: 5,
  create_time: 10,
  update_time: 20,
  created_by: "",
  description: "",
  cancellable: 1,
  grace_ms: 0,
  critical_ms: 0,
  cleanup_ms: 0,
  kill_ms: 0,
  max_attempts: 3,
  backoff_ms: 0,
  backoff_max_ms: 0,
  attempt_timeout_ms: 0,
  stall_timeout_ms: 0,
  retention_ms: 0,
  on_delete: "keep",
  start_after: 0,
  attempt: 1,
  lease_token: 2,
  type_limit: 0,
  key_limit: 0,
  concurrency_key: "",
  priority: 0,
  supersede_key: "",
  rerun_of: "",
  unwatched_ms: 0,
  has_own_caller: 1,
};

const lease = { lease_session: "w", lease_begun: 1, lease_guarded: 1 };
const cancel = JSON.stringify({ deadline: 1000 });
const end = { done_time: 30, expire_time: 40, outcome_digest: "" };

/** A row of each state, as the engine writes it. */
const whole: Record<string, Record<string, string | number | null>> = {
  PENDING: {},
  reserved: { lease_session: "w", lease_begun: 0, lease_guarded: 0 },
  RUNNING: { state: "RUNNING", ...lease },
  CANCELLING: { state: "CANCELLING", ...lease, cancel },
  "CANCELLING-stopped": {
    state: "CANCELLING",
    cancel: JSON.stringify({ deadline: 1000, stopTime: 15 }),
    children: "{}",
  },
  SUCCEEDED: { state: "SUCCEEDED", ...end, outcome: "response" },
  FAILED: { state: "FAILED", ...end, outcome: "error", error: "{}" },
  CANCELLED: { state: "CANCELLED", ...end, outcome: "error", error: "{}", cancel },
};

function insert(changes: Record<string, string | number | null>): string {
  const name = `operations/${rows++}`;
  const waits = (changes["state"] ?? "PENDING") === "PENDING" && changes["lease_session"] == null;
  const row = { ...defaults, start_class: waits ? 1 : null, name, id: name, ...changes };
  const columns = Object.keys(row);
  const sql = `INSERT INTO operations (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;
  database.prepare(sql).run(...Object.values(row));
  return name;
}

function update(name: string, set: string): void {
  database.prepare(`UPDATE operations SET ${set} WHERE name = ?`).run(name);
}

for (const [title, changes] of Object.entries(whole)) {
  test(`a whole ${title} row is stored`, () => assert(insert(changes)));
}

const brokenRows: readonly [title: string, state: string, changes: Record<string, string | number | null>][] =
  [
    ["an unknown state", "PENDING", { state: "DONE" }],
    ["S2: done without outcome", "SUCCEEDED", { outcome: null, outcome_digest: null }],
    ["S2: outcome without done", "RUNNING", { outcome: "response", outcome_digest: "" }],
    ["S2: done in a state that is not final", "RUNNING", { done_time: 30, expire_time: 40 }],
    ["S2: a final state that is not done", "SUCCEEDED", { done_time: null, expire_time: null }],
    ["S2: both results", "SUCCEEDED", { error: "{}" }],
    ["S2: an error without its status", "FAILED", { error: null }],
    ["S2: success with an error", "SUCCEEDED", { outcome: "error", error: "{}" }],
    ["S2: cancelled with a response", "CANCELLED", { outcome: "response", error: null }],
    ["S7: cancelled without a cancel", "CANCELLED", { cancel: null }],
    ["S7: cancelling without a cancel", "CANCELLING", { cancel: null }],
    ["S10: cancelling without a lease or evidence", "CANCELLING-stopped", { cancel }],
    ["S10: cancelling without a lease or children", "CANCELLING-stopped", { children: null }],
    ["a pending row in no index of starts", "PENDING", { start_class: null }],
    ["a running row in an index of starts", "RUNNING", { start_class: 1 }],
    ["a priority of 101", "PENDING", { priority: 101 }],
    ["a limit below 0", "PENDING", { key_limit: -1 }],
    ["S8: running with a cancel", "RUNNING", { cancel }],
    ["S8: pending with a cancel", "PENDING", { cancel }],
    ["S10: done with a lease", "FAILED", { lease_session: "w", lease_begun: 0, lease_guarded: 0 }],
    [
      "S10: running without a lease",
      "RUNNING",
      { lease_session: null, lease_begun: null, lease_guarded: null },
    ],
    ["S10: running with a lease that has not begun", "RUNNING", { lease_begun: 0 }],
    ["S10: pending with a lease that has begun", "reserved", { lease_begun: 1 }],
    ["half a lease", "reserved", { lease_guarded: null }],
    ["held beside a lease", "RUNNING", { held_session: "w", held_begun: 1, held_guarded: 1 }],
    ["half a held lease", "FAILED", { held_session: "w", held_begun: 1 }],
    ["S11: more attempts than allowed", "RUNNING", { attempt: 4 }],
    ["done without an expiry", "SUCCEEDED", { expire_time: null }],
    ["a revision of 0", "PENDING", { revision: 0 }],
    ["half a progress", "RUNNING", { progress_percent: 50 }],
    ["a fractional instant", "PENDING", { create_time: 1.5 }],
    ["an error of 20 kB", "FAILED", { error: JSON.stringify("x".repeat(20_000)) }],
    ["a name of 2,000 characters", "PENDING", { name: "x".repeat(2000) }],
  ];

for (const [title, state, changes] of brokenRows) {
  test(`a row is refused: ${title}`, () => {
    assert.throws(() => insert({ ...whole[state], ...changes }), { code: "ERR_SQLITE_ERROR" });
  });
}

const brokenUpdates: readonly [title: string, state: string, set: string, refusal: RegExp][] = [
  ["S1: another name", "PENDING", "name = 'x'", /S1: the identity/],
  ["S1: another tenant", "PENDING", "tenant = 'x'", /S1: the identity/],
  ["S1: another creation", "PENDING", "create_time = 11", /S1: the identity/],
  ["S1: another priority", "PENDING", "priority = 1", /S1: the identity/],
  ["S1: another limit", "PENDING", "type_limit = 1", /S1: the identity/],
  ["S1: another concurrency key", "PENDING", "concurrency_key = 'x'", /S1: the identity/],
];

for (const [title, state, set, refusal] of brokenUpdates) {
  test(`an update is refused: ${title}`, () => {
    const name = insert(whole[state] ?? {});
    assert.throws(() => update(name, set), refusal);
  });
}

type Update = Extract<keyof typeof commitWrites, `${string}Operation`>;

/** Runs an update of the writer's with a row's own values and some others; answers how many rows it found. */
function write(statement: Update, name: string, changes: Record<string, string | number | null>): unknown {
  const row = database.prepare("SELECT * FROM operations WHERE name = ?").get(name) ?? {};
  const columns = [...(commitWrites[statement].split("WHERE")[0] ?? "").matchAll(/(\w+) = \?/g)];
  const values = columns.map(
    ([, column = ""]) => (column in changes ? changes[column] : row[column]) ?? null,
  );
  return database.prepare(commitWrites[statement]).run(...(values as string[]), "s", "t", name).changes;
}

const ofLive = ["updateOperation", "stepOperation", "holdOperation", "finishOperation"] as const;
const ofAll = [...ofLive, "amendOperation"] as const;
const granting = ["updateOperation", "holdOperation", "finishOperation"] as const;
const later = JSON.stringify({ deadline: 1001 });
const backward: readonly [
  title: string,
  state: string,
  Record<string, string | number | null>,
  readonly Update[],
][] = [
  ["S1: what is done stays as it is", "FAILED", {}, ofLive],
  ["S5: a cancel is never taken back", "CANCELLING", { cancel: null, state: "RUNNING" }, ofAll],
  ["G3: a cancel's deadline never comes later", "CANCELLING", { cancel: later }, ofAll],
  ["S9: a lease token only grows", "RUNNING", { lease_token: 1 }, granting],
  ["S11: attempts only grow", "RUNNING", { attempt: 0 }, granting],
  ["S13: the revision only grows", "RUNNING", { revision: 4 }, ofAll],
  ["S13: the update time only grows", "RUNNING", { update_time: 19 }, ofAll],
];

for (const [title, state, changes, statements] of backward) {
  test(`no update finds the row: ${title}`, () => {
    const name = insert(whole[state] ?? {});
    for (const statement of statements) assert.equal(write(statement, name, changes), 0, statement);
  });
}

test("an update that goes forward finds its row", () => {
  const name = insert(whole["CANCELLING"] ?? {});
  const changes = { revision: 6, update_time: 21, cancel: JSON.stringify({ deadline: 999 }) };
  assert.equal(write("stepOperation", name, changes), 1);
  assert.equal(write("updateOperation", name, {}), 1);
});

test("S1: of a done operation, delete, late evidence and what comes with them may change", () => {
  const name = insert({ ...whole["FAILED"], cancel, held_session: "w", held_begun: 1, held_guarded: 1 });
  update(name, `cancel = '{"deadline": 1000, "stopConfirmedTime": 50}', revision = 6, update_time = 50`);
  update(name, "held_session = NULL, held_begun = NULL, held_guarded = NULL");
  update(name, "delete_time = 60, revision = 7, update_time = 60");
});

test("S18: a deleted operation stays deleted", () => {
  const name = insert(whole["FAILED"] ?? {});
  update(name, "delete_time = 60");
  assert.throws(() => update(name, "delete_time = NULL"), /S18/);
  assert.throws(() => update(name, "delete_time = 61"), /S18/);
});

for (const state of ["PENDING", "reserved", "RUNNING", "CANCELLING"]) {
  test(`S19: a row in ${state} is not removed`, () => {
    const name = insert(whole[state] ?? {});
    assert.throws(() => database.prepare("DELETE FROM operations WHERE name = ?").run(name), /S19/);
  });
}

test("what belongs to an operation goes with it, and cannot come without it", () => {
  const name = insert(whole["FAILED"] ?? {});
  const insertChild = (of: string): void => {
    database
      .prepare(
        "INSERT INTO payloads (service, tenant, name, kind, type_url, bytes) VALUES ('s', 't', ?, 'request', '', x'')",
      )
      .run(of);
    database
      .prepare("INSERT INTO labels (service, tenant, name, key, value) VALUES ('s', 't', ?, 'k', 'v')")
      .run(of);
  };
  insertChild(name);
  assert.throws(() => insertChild("operations/none"), /FOREIGN KEY/);
  database.prepare("DELETE FROM operations WHERE name = ?").run(name);
  assert.equal(count(database, "payloads"), 0);
  assert.equal(count(database, "labels"), 0);
});

function count(of: DatabaseSync, table: string): unknown {
  return of.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"];
}

test("audit rows and receipt events are never changed", () => {
  database.exec(`INSERT INTO audit VALUES (NULL, 1, 's', 't', 1, '[]')`);
  assert.throws(() => database.exec("UPDATE audit SET entries = 'x'"), /only appended/);
  database.exec(
    `INSERT INTO receipts (service, tenant, name, type, cancel, attempt, session) VALUES ('s', 't', 'n', '', '{}', 0, '')`,
  );
  database.exec(
    `INSERT INTO receipt_events (service, tenant, name, sequence, time, kind, detail, by) VALUES ('s', 't', 'n', 1, 1, 'REQUESTED', '', '')`,
  );
  assert.throws(() => database.exec("UPDATE receipt_events SET detail = 'x'"), /only appended/);
});

test("chains only grow, without a gap, and stay", () => {
  const append = (tenant: string, sequence: number): unknown =>
    database.prepare("INSERT INTO chain_entries VALUES ('s', ?, ?, 'n', '{}', 'h')").run(tenant, sequence);
  append("t", 1);
  append("t", 2);
  append("u", 1);
  assert.throws(() => append("t", 2), /next sequence/);
  assert.throws(() => append("t", 4), /next sequence/);
  assert.throws(() => append("v", 0), /next sequence/);
  assert.throws(() => database.exec("UPDATE chain_entries SET hash = 'x'"), /only appended/);
  assert.throws(() => database.exec("DELETE FROM chain_entries"), /stay/);
  database.exec("INSERT INTO chain_checkpoints VALUES ('s', 't', 2, 'h', 1, 'k', 'sig')");
  assert.throws(() => database.exec("UPDATE chain_checkpoints SET signature = 'x'"), /only appended/);
  assert.throws(() => database.exec("DELETE FROM chain_checkpoints"), /stay/);
  database.exec("UPDATE receipt_events SET chained = 1");
  assert.throws(() => database.exec("UPDATE receipt_events SET chained = 0"), /chained once/);
});

test("a commit syncs before it returns, and every setting that safety rests on is in force", () => {
  const setting = (name: string): unknown => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  assert.equal(setting("synchronous"), 2);
  assert.equal(setting("journal_mode"), "wal");
  assert.equal(setting("foreign_keys"), 1);
  assert.equal(setting("trusted_schema"), 0);
});

/** How the database would run a page with this filter. */
function explain(text: string, showDeleted: boolean, oldestFirst: boolean): string[] {
  const filter = compileListFilter(parseListFilter(text));
  const { condition, values } = filter;
  const shape = { index: indexOf(filter), showDeleted, oldestFirst };
  const arms = Array.from({ length: listArms(shape) }, () => ["s", "t", "", 1, "", 0, "", ...values]).flat();
  const statement = database.prepare(`EXPLAIN QUERY PLAN ${listOperations(shape, condition)}`);
  return statement.all(...arms, 50).map((row) => String(row["detail"]));
}

for (const filter of [
  "",
  "done=false",
  "type=x OR labels.a=b",
  "state=RUNNING AND create_time>2026-01-01T00:00:00Z",
  "parents:operations/x AND priority>5 AND cancel.cause=parent",
]) {
  for (const showDeleted of [false, true]) {
    for (const oldestFirst of [false, true]) {
      const order = `${oldestFirst ? "oldest" : "newest"} first${showDeleted ? " with deleted ones" : ""}`;
      test(`a page of ${JSON.stringify(filter)}, ${order}, is read along its indexes and never sorted`, () => {
        const plan = explain(filter, showDeleted, oldestFirst);
        const live = filter.includes("done=false") || filter.includes("RUNNING");
        const range =
          "(service=? AND tenant=? AND parent=? AND (create_time,id)>(?,?) AND (create_time,id)<(?,?))";
        const searches = plan.filter((step) => step.startsWith("SEARCH o USING INDEX"));
        const indexes = [live ? "operations_live" : "operations_list", "operations_list_deleted"];
        assert.deepEqual(
          searches,
          indexes.slice(0, showDeleted ? 2 : 1).map((index) => `SEARCH o USING INDEX ${index} ${range}`),
        );
        assert(!plan.some((step) => step.includes("TEMP B-TREE")), plan.join("\n"));
      });
    }
  }
}

test("what waits for a worker is walked without looking at a row", () => {
  for (const index of ["operations_start", "operations_start_limited"] as const) {
    const sql = `SELECT service, priority FROM operations INDEXED BY ${index} WHERE ${startConditions[index]}
      AND type = ? AND service > ? ORDER BY service, priority DESC LIMIT 1`;
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all("t", "s");
    assert.match(String(plan[0]?.["detail"]), /^SEARCH operations USING COVERING INDEX/);
    assert.equal(plan.length, 1);
  }
});

test("the end of a window of both indexes is found without sorting", () => {
  const shape = { index: "operations_list", showDeleted: true, oldestFirst: false } as const;
  const values = ["s", "t", "", 1, "", "s", "t", "", 1, "", 999];
  const plan = database.prepare(`EXPLAIN QUERY PLAN ${listWindowEnd(shape)}`).all(...values);
  const steps = plan.map((row) => String(row["detail"]));
  assert(!steps.some((step) => step.includes("TEMP B-TREE")), steps.join("\n"));
  assert.equal(steps.filter((step) => step.includes("SEARCH o USING INDEX")).length, 2, steps.join("\n"));
});
