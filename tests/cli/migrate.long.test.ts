// belay migrate as a process, on a real server: a data folder with operations in every state is moved, and goes on there.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type BelayClient, connect, State } from "../../src/client/client.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { sharedPostgres } from "../postgres/shared-postgres.ts";
import type { TestDatabases } from "../postgres/test-databases.ts";
import { type RunningServer, runBelay, startServer, temporaryFolder } from "./belay-process.ts";

const operationsFile = fileURLToPath(new URL("./operations.ts", import.meta.url));

let server: TestDatabases;
before(async () => {
  server = await sharedPostgres();
});

async function emptyDatabase(t: TestContext): Promise<{ name: string; url: string }> {
  const name = await server.createDatabase();
  t.after(() => server.dropDatabase(name));
  return { name, url: server.url(name) };
}

interface Known {
  pending: string;
  running: string;
  cancelling: string;
  succeeded: string;
  failed: string;
  cancelled: string;
}

/** An operation in every state, and some around them. */
async function fill(client: BelayClient, release: string): Promise<Known> {
  const start = async (type: string, payload = {}, more = {}): Promise<string> =>
    (await client.start(type, { payload, ...more })).name;
  const until = { until: release };
  const known: Known = {
    pending: await start("test.hold", until, {
      startDelayMs: 3_600_000,
      labels: { kind: "later" },
      requestId: "move-1",
    }),
    running: await start("test.hold", until),
    cancelling: await start("test.linger"),
    succeeded: await start("test.echo", { page: "größe" }),
    failed: await start("test.fail"),
    cancelled: await start("test.hold", until, { startDelayMs: 3_600_000 }),
  };
  await client.cancel(known.cancelled, { reason: "not needed" });
  for (const name of [known.succeeded, known.failed]) await client.wait(name, { timeoutMs: 10_000 });
  for (const name of [known.running, known.cancelling])
    await eventually("progress", async () => ((await client.get(name)).progress?.percent ?? 0) > 0);
  await client.cancel(known.cancelling);
  return known;
}

async function list(
  address: string,
  query: string,
): Promise<{ operations?: { name: string }[]; nextPageToken?: string }> {
  const answer = await fetch(`http://${address}/v1/operations?${query}`);
  assert.equal(answer.status, 200, await answer.clone().text());
  return (await answer.json()) as { operations?: { name: string }[]; nextPageToken?: string };
}

/** The resume token of a watch that has heard everything so far. */
async function caughtUp(client: BelayClient): Promise<string> {
  for await (const told of client.watch()) if (told.type === "caughtUp") return told.resumeToken;
  throw new Error("the watch has ended");
}

async function kill(server: RunningServer): Promise<void> {
  server.child.kill("SIGKILL");
  await server.end();
}

test("a data folder with operations in every state is moved, and goes on in PostgreSQL", async (t) => {
  const { name, url } = await emptyDatabase(t);
  const release = join(temporaryFolder(t), "release");
  const sqlite = await startServer(t, ["--operations", operationsFile]);
  const data = join(sqlite.folder, "belay-data");
  const before = connect(sqlite.address);
  const known = await fill(before, release);
  const resumeToken = await caughtUp(before);
  const missed = await before.start("test.echo");
  await before.wait(missed.name, { timeoutMs: 10_000 });
  const first = await list(sqlite.address, "pageSize=2");

  const busy = await runBelay(["migrate", "move", "--from", data, "--to", url]);
  assert.equal(busy.code, 8);
  assert.match(busy.stderr, /^belay: data folder .* is in use: .*stop the server first/);
  await kill(sqlite);

  const moved = await runBelay(["migrate", "move", "--from", data, "--to", url, "--json"]);
  assert.equal(moved.code, 0, moved.stderr);
  const { tables } = JSON.parse(moved.stdout) as {
    tables: { table: string; source: object; target: object }[];
  };
  for (const { table, source, target } of tables) assert.deepEqual(source, target, table);
  assert.equal((await runBelay(["migrate", "verify", "--store", url])).code, 0);
  const again = await runBelay(["migrate", "move", "--from", data, "--to", url]);
  assert.deepEqual([again.code, /the target is not empty: .*operations/.test(again.stderr)], [8, true]);

  const shared = await startServer(t, ["--operations", operationsFile, "--store", url], {
    cwd: sqlite.folder,
  });
  const client = connect(shared.address);
  // A page token of before the move goes on after it.
  const second = await list(shared.address, `pageSize=2&pageToken=${first.nextPageToken}`);
  const pages = [...(first.operations ?? []), ...(second.operations ?? [])].map(
    (operation) => operation.name,
  );
  assert.equal(new Set(pages).size, 4);
  // So does a watch: it is told what it had not heard of yet. On a slow machine the cancelled one had ended by then, too.
  for await (const told of client.watch({ resumeToken })) {
    assert.ok(told.type === "change", told.type);
    if (told.event.name === missed.name) break;
    assert.equal(told.event.name, known.cancelling);
  }
  assert.equal((await client.get(known.succeeded)).state, State.SUCCEEDED);
  assert.equal((await client.get(known.failed)).state, State.FAILED);
  assert.equal((await client.get(known.cancelled)).state, State.CANCELLED);
  // The same request id is the same operation.
  const repeated = await client.start("test.hold", {
    payload: { until: release },
    startDelayMs: 3_600_000,
    labels: { kind: "later" },
    requestId: "move-1",
  });
  assert.equal(repeated.name, known.pending);
  // What ran in the server that was killed is settled as after any crash; its cancel ends, and says so.
  writeFileSync(release, "");
  const lost = await client.wait(known.running, { timeoutMs: 30_000 });
  assert.equal(lost.state, State.FAILED);
  assert.equal((await client.wait(known.cancelling, { timeoutMs: 30_000 })).state, State.CANCELLED);
  await client.cancel(known.pending);
  assert.equal((await client.get(known.pending)).state, State.CANCELLED);
  const fresh = await client.start("test.echo", { payload: { page: 1 } });
  assert.equal((await client.wait(fresh.name, { timeoutMs: 10_000 })).state, State.SUCCEEDED);
  const receipt = await runBelay(["receipt", "--verify", "--server", shared.address]);
  assert.equal(receipt.code, 0, receipt.stderr);

  const nodes = await server.query("SELECT version FROM nodes", [], name);
  assert.equal(nodes.length, 1);
  const plan = await runBelay(["migrate", "plan", "--store", url]);
  assert.match(plan.stdout, /nothing to do[\s\S]*goes on/);
  shared.child.kill("SIGTERM");
  assert.equal((await shared.end()).code, 0);
  assert.deepEqual(await server.query("SELECT 1 FROM nodes", [], name), []);
  const verified = await runBelay(["migrate", "verify", "--store", url]);
  assert.equal(verified.code, 0, verified.stdout);
});

test("a backup of a server that runs is moved as it was; the line says what that means", async (t) => {
  const { url } = await emptyDatabase(t);
  const sqlite = await startServer(t, ["--operations", operationsFile]);
  const client = connect(sqlite.address);
  const operation = await client.start("test.echo", { payload: { text: "with\u0000nul" } });
  await client.wait(operation.name, { timeoutMs: 10_000 });
  const file = join(sqlite.folder, "backup.db");
  assert.equal((await runBelay(["backup", file, "--data", join(sqlite.folder, "belay-data")])).code, 0);
  const moved = await runBelay(["migrate", "move", "--from", file, "--to", url]);
  assert.equal(moved.code, 0, moved.stderr);
  assert.match(moved.stderr, /is a backup: what its server did after it was made is not moved/);
  assert.match(moved.stdout, /^operations +1 +[0-9a-f]{32}$/m);
});

const mistakes: [string, readonly string[], number, RegExp][] = [
  ["no store", ["plan"], 1, /plan needs --store URL, or BELAY_STORE/],
  ["no target", ["move", "--from", "x"], 1, /move needs --from FOLDER and --to URL/],
  [
    "no folder",
    ["move", "--from", "/nonexistent", "--to", "postgres://u@127.0.0.1:1/x"],
    8,
    /there is no \/nonexistent/,
  ],
  ["no URL", ["plan", "--store", "localhost"], 1, /a database URL has the form postgres:/],
  [
    "no server",
    ["plan", "--store", "postgres://u:secret@127.0.0.1:1/x"],
    8,
    /the database at 127\.0\.0\.1:1\/x failed: /,
  ],
  ["an unknown action", ["undo"], 1, /undo/],
];
for (const [what, args, code, line] of mistakes) {
  test(`${what}: one line, and nothing done`, async () => {
    const result = await runBelay(["migrate", ...args]);
    assert.deepEqual([result.code, result.stdout], [code, ""]);
    assert.match(result.stderr, line);
    assert.doesNotMatch(result.stderr, /secret/);
    assert.equal(result.stderr.trimEnd().split("\n").length, 1, result.stderr);
  });
}

test("a schema that is not up to date is not verified, and apply brings it up", async (t) => {
  const { name, url } = await emptyDatabase(t);
  const early = await runBelay(["migrate", "verify", "--store", url]);
  assert.deepEqual([early.code, early.stdout], [8, ""]);
  assert.match(early.stderr, new RegExp(`database ${name} has no schema.*run belay migrate apply first`));
  assert.match((await runBelay(["migrate", "plan", "--store", url])).stdout, /0001_initial\.sql/);
  const applied = await runBelay(["migrate", "apply"], { env: { BELAY_STORE: url } });
  assert.match(applied.stdout, /applied 0001_initial\.sql/);
  await server.query("INSERT INTO belay_schema VALUES (999, '0999_future.sql', 'x', 999, 1)", [], name);
  for (const args of [
    ["migrate", "plan"],
    ["serve", "--port", "0"],
  ]) {
    const refused = await runBelay([...args, "--store", url], { cwd: temporaryFolder(t) });
    assert.equal(refused.code, 8, refused.stdout);
    assert.match(
      refused.stderr,
      new RegExp(`^belay: database ${name} has schema 999; this version of Belay knows \\d+: .*\\n$`),
    );
  }
});
