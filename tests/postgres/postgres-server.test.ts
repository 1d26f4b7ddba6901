// The rig itself: servers that stop as they are told, standbys that follow, and nothing that outlives its process.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, describe, test } from "node:test";
import { isAlive } from "../faults/outside.ts";
import { eventually, type PostgresServer, startPostgres } from "./postgres-server.ts";
import { sharedPostgres } from "./shared-postgres.ts";

describe("a server of a test", () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres({ settings: { max_connections: 20 } });
  });
  after(() => server?.stop("immediate"));

  test("syncs what it commits, and takes the settings it is given", async () => {
    const sql = `SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages,
      current_setting('synchronous_commit') AS sync, current_setting('max_connections') AS connections`;
    const [row] = await server.query(sql);
    assert.deepEqual(row, { fsync: "on", pages: "on", sync: "on", connections: "20" });
    await server.set({ statement_timeout: "1234ms" });
    assert.deepEqual(await server.query("SHOW statement_timeout"), [{ statement_timeout: "1234ms" }]);
    await server.set({ statement_timeout: 0 });
  });

  for (const mode of ["fast", "immediate", "kill"] as const) {
    test(`keeps what was committed over a restart (${mode})`, async () => {
      const database = await server.createDatabase();
      await server.query("CREATE TABLE kept (number INTEGER)", [], database);
      await server.query("INSERT INTO kept VALUES (7)", [], database);
      const { pid } = server;
      await server.restart(mode);
      assert.notEqual(server.pid, pid);
      assert.deepEqual(await server.query("SELECT number FROM kept", [], database), [{ number: 7 }]);
    });
  }

  test("answers nothing while it is frozen, and goes on when it is thawed", async () => {
    server.freeze();
    let answered = false;
    const answer = server.query("SELECT 1 AS one").then((rows) => {
      answered = true;
      return rows;
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(answered, false);
    server.thaw();
    assert.deepEqual(await answer, [{ one: 1 }]);
  });

  test("has a standby that follows, and can be promoted when it is gone", async () => {
    const database = await server.createDatabase();
    await server.query("CREATE TABLE kept (number INTEGER)", [], database);
    await using standby = await server.standby();
    await server.set({ synchronous_standby_names: "standby" });
    await server.query("INSERT INTO kept VALUES (7)", [], database);
    await assert.rejects(standby.query("INSERT INTO kept VALUES (8)", [], database), /read-only/);
    await server.stop("kill");
    await standby.promote();
    await standby.query("INSERT INTO kept VALUES (8)", [], database);
    const rows = await standby.query("SELECT number FROM kept ORDER BY number", [], database);
    assert.deepEqual(rows, [{ number: 7 }, { number: 8 }]);
  });
});

test("databases are copies of their template, and are dropped with their connections", async () => {
  const shared = await sharedPostgres();
  const template = await shared.createDatabase();
  await shared.query("CREATE TABLE kept (number INTEGER)", [], template);
  const copy = await shared.createDatabase({ template });
  assert.notEqual(copy, template);
  assert.deepEqual(await shared.query("SELECT count(*)::integer AS rows FROM kept", [], copy), [{ rows: 0 }]);
  const busy = shared.query("SELECT pg_sleep(60)", [], copy).catch((error: unknown) => String(error));
  const active = "SELECT 1 FROM pg_stat_activity WHERE datname = $1";
  await eventually("the sleeper is there", async () => (await shared.query(active, [copy])).length > 0);
  await shared.dropDatabase(copy);
  assert.match(String(await busy), /terminat|ended|reset/);
  await shared.dropDatabase(template);
});

test("a killed process leaves neither a server nor its data behind", async () => {
  const program = `
    import { startPostgres } from ${JSON.stringify(new URL("./postgres-server.ts", import.meta.url).href)};
    const server = await startPostgres();
    console.log(JSON.stringify({ pid: server.pid, data: server.data }));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const { pid, data } = JSON.parse(line.toString()) as { pid: number; data: string };
  assert.ok(existsSync(data));
  child.kill("SIGKILL");
  await once(child, "exit");
  await eventually("its folder is gone", async () => !existsSync(dirname(data)));
  assert.equal(isAlive(pid), false);
});
