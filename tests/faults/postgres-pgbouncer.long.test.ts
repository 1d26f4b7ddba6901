// Belay behind PgBouncer in transaction mode: all works but LISTEN, which is found out, said once, and replaced by looking.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { delay } from "../../src/base/timers.ts";
import type { RemoteChange } from "../../src/engine/store.ts";
import { PostgresStore } from "../../src/stores/postgres/postgres-store.ts";
import { eventually, type PostgresServer, startPostgres } from "../postgres/postgres-server.ts";
import { PgBouncer } from "./pg-bouncer.ts";
import { PostgresLoad } from "./postgres-load.ts";
import { serveThroughFaults } from "./postgres-rounds.ts";

describe("behind PgBouncer in transaction mode", () => {
  let server: PostgresServer;
  let bouncer: PgBouncer;
  before(async () => {
    server = await startPostgres();
    bouncer = await PgBouncer.start(server.port);
  });
  after(async () => {
    await bouncer?.[Symbol.asyncDispose]();
    await server?.stop("immediate");
  });

  test("whole lives of many at once, on few connections, and as many to the server as the pooler has", async (context) => {
    const database = await server.createDatabase();
    const stores = await Promise.all(
      [1, 2, 3].map(() => PostgresStore.open(bouncer.url(database), { poolSize: 10 })),
    );
    try {
      const loads = stores.map((store) => new PostgresLoad(store));
      let isStopped = false;
      const lives = Promise.all(loads.map((load) => load.run(16, () => isStopped)));
      await delay(3000);
      isStopped = true;
      await lives;
      for (const load of loads) {
        context.diagnostic(JSON.stringify(load.report));
        assert.equal(load.report.unknown, 0, "nothing has failed");
        await load.check(server, database);
      }
      const sql = "SELECT count(*)::integer AS count FROM pg_stat_activity WHERE datname = $1";
      const [row] = await server.query(sql, [database]);
      assert(Number(row?.["count"]) <= 6);
    } finally {
      for (const store of stores) await store.close();
    }
  });

  test("a node that hears no notification says so once, and follows the others by looking", async () => {
    const database = await server.createDatabase();
    const notices: string[] = [];
    const one = await PostgresStore.open(bouncer.url(database));
    const two = await PostgresStore.open(bouncer.url(database), { onNotice: (line) => notices.push(line) });
    try {
      const { world } = new PostgresLoad(one);
      const heard: RemoteChange[] = [];
      const following = two.follow({ changed: (changes) => heard.push(...changes), ready: () => {} });
      await eventually("the listening is found not to work", async () => notices.length > 0);
      const delays: number[] = [];
      for (let round = 0; round < 10; round++) {
        const record = await world.started();
        const committed = performance.now();
        await eventually("the change is told", async () => heard.some(({ name }) => name === record.name));
        delays.push(performance.now() - committed);
      }
      assert(Math.max(...delays) < 1500, `told after ${delays.map(Math.round).join(", ")} ms`);
      assert.equal(notices.length, 1, notices.join("\n"));
      following.close();
    } finally {
      await one.close();
      await two.close();
    }
  });

  test("statements that vanish, or are there already, are given up for unnamed ones, and no commit is lost", async () => {
    // It drops the settings without a word, and the database has them: nothing says that a pooler is there but the failures.
    const settings = ["ignore_startup_parameters = extra_float_digits,options"];
    await using silent = await PgBouncer.start(server.port, { poolSize: 3, settings });
    const database = await server.createDatabase();
    await server.query(`ALTER DATABASE ${database} SET enable_seqscan = off`);
    const stores = await Promise.all([1, 2].map(() => PostgresStore.open(silent.url(database))));
    try {
      const loads = stores.map((store) => new PostgresLoad(store));
      let isStopped = false;
      const lives = Promise.all(loads.map((load) => load.run(16, () => isStopped)));
      await delay(2000);
      isStopped = true;
      await lives;
      for (const load of loads) {
        assert.equal(load.report.unknown, 0, "nothing has failed");
        await load.check(server, database);
      }
      assert.match(server.log, /prepared statement "[^"]+" (does not exist|already exists)/);
    } finally {
      for (const store of stores) await store.close();
    }
  });

  test("a server through restarts of the pooler and of the database loses nothing", async (context) => {
    const database = await server.createDatabase();
    const result = await serveThroughFaults({
      url: bouncer.url(database),
      audit: () => ({ databases: server, database }),
      faults: async () => {
        await delay(1000);
        await bouncer.restart();
        await delay(1500);
        await server.restart("immediate");
      },
    });
    context.diagnostic(JSON.stringify(result));
  });
});
