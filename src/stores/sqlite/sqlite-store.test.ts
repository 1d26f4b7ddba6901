// The embedded store at its edges: folders that cannot be opened, foreign locks, backup, closing. What every store must
// do is in tests/conformance/store; full disks and failing syncs are in tests/faults.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test, { type TestContext } from "node:test";
import type { Command, StartCommand } from "../../engine/commands.ts";
import { knownMigrations } from "./migrator.ts";
import { SqliteStore, type SqliteStoreOptions, StoreOpenError } from "./sqlite-store.ts";

/** What a test has open; closed before its folder is removed. */
const opened: SqliteStore[] = [];

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "belay-sqlite-"));
  t.after(async () => {
    for (const store of opened.splice(0)) await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

async function openStore(folder: string, options: SqliteStoreOptions = {}): Promise<SqliteStore> {
  const store = await SqliteStore.open(folder, { onFatal: (line) => assert.fail(line), ...options });
  opened.push(store);
  return store;
}

let operations = 0;

function start(bytes = 0): StartCommand {
  const id = `opr${String(++operations).padStart(17, "0")}`;
  return {
    type: "start",
    key: { service: "s", tenant: "t", name: `operations/${id}` },
    id,
    parent: "",
    operationType: "x.y",
    createdBy: "",
    origin: "",
    description: "",
    labels: {},
    policy: {
      cancel: { cancellable: true, graceMs: 0, criticalMs: 0, cleanupMs: 0, killMs: 0 },
      maxAttempts: 1,
      backoffMs: 0,
      backoffMaxMs: 0,
      attemptTimeoutMs: 1,
      stallTimeoutMs: 0,
      retentionMs: 0,
      onDelete: "keep",
      typeLimit: 0,
      keyLimit: 0,
      unwatchedMs: 0,
    },
    startAfter: 0,
    deadline: null,
    priority: 0,
    concurrencyKey: "",
    supersedeKey: "",
    rerunOf: "",
    parentAttempt: null,
    shared: false,
    request: { typeUrl: "", bytes: new Uint8Array(bytes) },
    metadata: null,
    requestKey: null,
  };
}

async function assertRefused(folder: string, line: RegExp): Promise<void> {
  await assert.rejects(SqliteStore.open(folder), (error) => {
    assert(error instanceof StoreOpenError);
    assert.match(error.message, line);
    assert(!error.message.includes("\n"), "one line");
    return true;
  });
}

test("a folder that is missing is made, for this user only", async (t) => {
  const folder = join(temporaryFolder(t), "a", "b");
  await openStore(folder);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  for (const file of readdirSync(folder)) {
    if (file.startsWith("belay.db")) assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file);
  }
});

test("a folder in use is refused at once, and is free after it was closed", async (t) => {
  const folder = temporaryFolder(t);
  const store = await openStore(folder);
  await assertRefused(folder, /in use: another process holds its belay\.lock/);
  await store.commit([start()]);
  await store.close();
  await openStore(folder);
});

test("a folder that is a file is refused", async (t) => {
  const folder = join(temporaryFolder(t), "file");
  writeFileSync(folder, "");
  await assertRefused(folder, /is a file/);
  await assertRefused(join(folder, "below"), /is a file, or lies below one/);
});

test("a file that is no database is refused and left as it is", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "belay.db"), "no database ".repeat(1000));
  await assertRefused(folder, /is not a SQLite database/);
  assert.equal(statSync(join(folder, "belay.db")).size, 12_000);
});

test("another program's database is refused", async (t) => {
  const folder = temporaryFolder(t);
  const other = new DatabaseSync(join(folder, "belay.db"));
  other.exec("CREATE TABLE things (a)");
  other.close();
  await assertRefused(folder, /not one of Belay's/);
});

test("a newer schema is refused, and the folder is free afterwards", async (t) => {
  const folder = temporaryFolder(t);
  await (await openStore(folder)).close();
  const database = new DatabaseSync(join(folder, "belay.db"));
  database.exec("UPDATE meta SET schema_version = 99");
  await assertRefused(folder, /has schema 99; this version of Belay knows \d+: use a newer one/);
  database.prepare("UPDATE meta SET schema_version = ?").run(knownMigrations().length);
  database.close();
  await openStore(folder);
});

test("a folder or database without permission is refused with its reason", (t) => {
  const folder = temporaryFolder(t);
  const data = join(folder, "data");
  mkdirSync(data);
  writeFileSync(join(data, "belay.db"), "");
  chmodSync(join(data, "belay.db"), 0o444);
  chmodSync(data, 0o777);
  chmodSync(folder, 0o555);
  const refusals = refusedToNobody([data, join(folder, "new"), folder]);
  chmodSync(folder, 0o755);
  assert.match(refusals[0] ?? "", /^\S+belay\.db is not readable and writable \(EACCES\)$/);
  assert.match(refusals[1] ?? "", /^data folder \S+ cannot be made: EACCES$/);
  assert.match(refusals[2] ?? "", /^data folder \S+ is not readable and writable \(EACCES\)$/);
});

/** Prepares the folders in a process without root's rights, and answers what it was refused with. */
function refusedToNobody(folders: readonly string[]): string[] {
  const program = `
    import { prepareDataFolder } from ${JSON.stringify(new URL("./data-folder.ts", import.meta.url))};
    if (process.getuid() === 0) { process.setgid(65534); process.setuid(65534); }
    for (const folder of process.argv.slice(1)) {
      try { console.log("prepared " + prepareDataFolder(folder)); } catch (error) { console.log(error.message); }
    }`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program, ...folders], {
    encoding: "utf8",
  });
  assert.equal(stderr, "");
  return stdout.trim().split("\n");
}

test("a database that a foreign process has locked is STORAGE_UNAVAILABLE with a delay, and works again", async (t) => {
  const folder = temporaryFolder(t);
  const store = await openStore(folder, { busyTimeoutMs: 20 });
  await store.commit([start()]);
  const foreign = new DatabaseSync(join(folder, "belay.db"));
  foreign.exec("BEGIN IMMEDIATE");
  const locked = start();
  await assert.rejects(store.commit([locked]), { reason: "STORAGE_UNAVAILABLE", retryDelayMs: 1000 });
  assert.equal((await store.listOperations(pageOf("s"))).operations.length, 1, "reads go on");
  foreign.exec("ROLLBACK");
  foreign.close();
  await store.commit([locked]);
  assert.equal((await store.listOperations(pageOf("s"))).operations.length, 2);
});

function pageOf(service: string): Parameters<SqliteStore["listOperations"]>[0] {
  return { service, tenant: "t", parent: "", filter: "", pageSize: 1000, pageToken: "" };
}

test("a backup made while commits go on is whole, and opens as a store", async (t) => {
  const folder = temporaryFolder(t);
  const store = await openStore(folder);
  const fill: Command[] = Array.from({ length: 300 }, () => start(20_000));
  await store.commit(fill);
  const target = join(folder, "copies", "belay.db");
  mkdirSync(join(folder, "copies"));
  writeFileSync(target, "an older copy");
  let copying = true;
  const copied = store.backup(target).finally(() => {
    copying = false;
  });
  let meanwhile = 0;
  while (copying) {
    await store.commit([start(20_000)]);
    meanwhile++;
  }
  await copied;
  assert(meanwhile > 0, "commits went on");
  assert.deepEqual(readdirSync(join(folder, "copies")), ["belay.db"]);
  assert.equal(statSync(target).mode & 0o777, 0o600);
  const copy = new DatabaseSync(target);
  assert.deepEqual(Object.values(copy.prepare("PRAGMA integrity_check").get() ?? {}), ["ok"]);
  const found = Number(copy.prepare("SELECT count(*) AS n FROM operations").get()?.["n"]);
  copy.close();
  assert(found >= 300 && found <= 300 + meanwhile, `${found} operations`);
  const restored = await openStore(join(folder, "copies"));
  assert((await restored.getOperationDetail(start().key)) === undefined);
  assert.equal(
    (await restored.getOperationDetail((fill[7] as StartCommand).key))?.request?.bytes.length,
    20_000,
  );
});

test("a backup that cannot be written leaves nothing behind", async (t) => {
  const folder = temporaryFolder(t);
  const store = await openStore(folder);
  await assert.rejects(store.backup(join(folder, "no", "such", "folder.db")));
  const target = join(folder, "taken");
  mkdirSync(target);
  await assert.rejects(store.backup(target));
  assert.deepEqual(
    readdirSync(folder).filter((file) => file.includes("part")),
    [],
  );
});

test("closing leaves the database in one file, and may be done twice", async (t) => {
  const folder = temporaryFolder(t);
  const store = await openStore(folder);
  await store.commit([start()]);
  await Promise.all([store.close(), store.close()]);
  assert(!existsSync(join(folder, "belay.db-wal")));
  await assert.rejects(store.commit([start()]), { reason: "SHUTTING_DOWN" });
  await assert.rejects(store.listOperations(pageOf("s")), { reason: "SHUTTING_DOWN" });
});

test("a commit under way is answered before the store closes", async (t) => {
  const store = await openStore(temporaryFolder(t));
  const committing = store.commit(Array.from({ length: 200 }, () => start()));
  await store.close();
  assert.equal((await committing).changed.length, 200);
});

test("the log is written back while the store is open", async (t) => {
  const folder = temporaryFolder(t);
  const store = await openStore(folder);
  for (let round = 0; round < 12; round++) {
    await store.commit(Array.from({ length: 20 }, () => start(100_000)));
  }
  const log = statSync(join(folder, "belay.db-wal")).size;
  assert(log < 12 * 1024 * 1024, `24 MB were written, the log is ${log} bytes`);
});

test("a payload in an encoding of a later version fails that read and no other", async (t) => {
  const folder = temporaryFolder(t);
  const store = await openStore(folder, { cacheBytes: 0 });
  const [plain, encrypted] = [start(10), start(10)];
  await store.commit([plain, encrypted]);
  const database = new DatabaseSync(join(folder, "belay.db"));
  database.prepare("UPDATE payloads SET encoding = 'aes' WHERE name = ?").run(encrypted.key.name);
  database.close();
  await assert.rejects(store.getOperationDetail(encrypted.key), /cannot read/);
  assert.equal((await store.getOperationDetail(plain.key))?.request?.bytes.length, 10);
});

test("results of every size, and attempts, of operations of one name that end in one batch are each its own", async (t) => {
  const store = await openStore(temporaryFolder(t), { cacheBytes: 0 });
  const first = start();
  const starts = [first, { ...start(), key: { ...first.key, tenant: "u" } }, start(), start()];
  const open = {
    kind: "embedded",
    worker: "",
    build: "",
    principal: "",
    slots: 9,
    bootId: "",
    leaseMs: 0,
  } as const;
  const acquire = { session: "ses", types: ["x.y"], guarded: true } as const;
  await store.commit([{ type: "openSession", ...open, ...acquire }, ...starts]);
  await store.commit([{ type: "acquire", ...acquire, limit: 9, begin: true }]);
  const sizes = [3, 0, 1024, 1025];
  const ends = starts.map(({ key }, index): Command => {
    const response = { typeUrl: `t/${index}`, bytes: new Uint8Array(sizes[index] ?? 0).fill(index) };
    return { type: "complete", key, session: "ses", token: 1, response, digest: String(index) };
  });
  await store.commit(ends);
  for (const [index, { key }] of starts.entries()) {
    const detail = await store.getOperationDetail(key);
    const expected = { typeUrl: `t/${index}`, bytes: new Uint8Array(sizes[index] ?? 0).fill(index) };
    assert.deepEqual(detail?.response, expected);
    assert.deepEqual((await store.getOperation(key))?.response, expected);
    const [attempt, ...more] = detail.attempts;
    const { attemptStartTime, doneTime } = detail.record;
    assert.deepEqual(more, []);
    assert.deepEqual([attempt?.attempt, attempt?.session, attempt?.outcome], [1, "ses", "SUCCEEDED"]);
    assert.deepEqual([attempt?.startTime, attempt?.endTime], [attemptStartTime, doneTime]);
    assert.equal(attempt?.error, null);
  }
});
