// Fills the disk of a data folder through a store, and says what works then. Run by disk-full.long.test.ts in a file
// system of its own. Arguments: the folder, and a file whose removal makes room again.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { RpcError } from "../../src/base/rpc-error.ts";
import type { Command } from "../../src/engine/commands.ts";
import { SqliteStore } from "../../src/stores/sqlite/sqlite-store.ts";
import { SharedClock } from "../../src/stores/sqlite/store-clock.ts";
import { keyOf, say, startOf } from "./stored-operation.ts";

const [folder = "", ballast = ""] = process.argv.slice(2);
const REQUEST_BYTES = 50_000;
/** More starts than the disk has room for. */
const STARTS_MAX = 2000;

const notices: string[] = [];
const clock = new SharedClock(1_795_000_000_000_000);
const options = {
  clock,
  onFatal: (line: string): never => assert.fail(line),
  onNotice: (line: string): number => notices.push(line),
};

const query = {
  service: "default",
  tenant: "default",
  parent: "",
  filter: "",
  pageSize: 1000,
  pageToken: "",
};
const by = { requestedBy: "test", onBehalfOf: "", requestId: "", origin: "test" };

function cancel(number: number): Command {
  const rules = {
    cause: "cancel",
    reason: "",
    graceMs: null,
    includeDeleted: false,
    force: false,
    ifRevision: null,
  } as const;
  return { type: "cancel", key: keyOf(number), ...by, ...rules };
}

/** The reason of a refusal, or "committed". */
async function outcomeOf(store: SqliteStore, ...commands: Command[]): Promise<string> {
  try {
    const { outcomes } = await store.commit(commands);
    return outcomes
      .map((outcome) => (outcome.type === "failed" ? (outcome.reason ?? "failed") : "committed"))
      .join(" ");
  } catch (error) {
    return error instanceof RpcError ? error.reason : String(error);
  }
}

async function fill(store: SqliteStore): Promise<number> {
  for (let number = 0; number < STARTS_MAX; number++) {
    const outcome = await outcomeOf(store, startOf(number, REQUEST_BYTES));
    if (outcome === "committed") continue;
    assert.equal(outcome, "STORAGE_FULL");
    return number;
  }
  return assert.fail("the disk never became full");
}

async function assertReadOnly(store: SqliteStore, stored: number): Promise<void> {
  assert.equal(await outcomeOf(store, startOf(stored, 0)), "STORAGE_FULL");
  assert.equal(await outcomeOf(store, cancel(0)), "STORAGE_FULL");
  assert.equal((await store.listOperations(query)).operations.length, stored);
  assert.equal((await store.getOperationDetail(keyOf(0)))?.request?.bytes.length, REQUEST_BYTES);
}

let store = await SqliteStore.open(folder, options);
// A done operation or two: what retention may remove.
await store.commit([
  startOf(STARTS_MAX, 0),
  startOf(STARTS_MAX + 1, 0),
  cancel(STARTS_MAX),
  cancel(STARTS_MAX + 1),
]);
await store.commit([{ type: "delete", key: keyOf(STARTS_MAX), ...by }]);
const filled = await fill(store);
const stored = filled + 1;
say(`${filled} starts filled the disk`);
assert.deepEqual(
  notices.splice(0).map((line) => line.includes("is full")),
  [true],
);
await assertReadOnly(store, stored);

// A server that is started again on the full disk reads and deletes too.
await store.close();
store = await SqliteStore.open(folder, options);
assert.equal((await store.listOperations(query)).operations.length, stored);

// Every delete works, mixed with starts that do not.
for (let number = 0; number < filled - 50; number++) {
  assert.equal(
    await outcomeOf(store, startOf(filled, REQUEST_BYTES), { type: "delete", key: keyOf(number), ...by }),
    "STORAGE_FULL committed",
  );
}
assert.equal((await store.listOperations(query)).operations.length, 51);
say(`${filled - 50} deletes were committed on the full disk`);

// Retention removes what was deleted and done, before its time.
assert.equal(await store.purge(500), 1);
assert.equal(await store.getOperation(keyOf(STARTS_MAX)), undefined);
assert((await store.getOperation(keyOf(STARTS_MAX + 1))) !== undefined);

clock.advance(2000);
assert.equal(await outcomeOf(store, startOf(filled, REQUEST_BYTES)), "STORAGE_FULL");
rmSync(ballast);
clock.advance(2000);
assert.equal(await outcomeOf(store, startOf(filled, REQUEST_BYTES)), "committed");
assert(notices.at(-1)?.includes("room again"), notices.join("\n"));
await store.close();

const database = new DatabaseSync(join(folder, "belay.db"));
assert.deepEqual(Object.values(database.prepare("PRAGMA integrity_check").get() ?? {}), ["ok"]);
database.close();
say("whole");
