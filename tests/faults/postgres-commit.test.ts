// A PostgreSQL store whose connections are taken away: at a commit, at random, by the server, by a limit. Nothing that was
// answered is lost, nothing is done twice, and all goes on by itself when the database is back.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { RpcError } from "../../src/base/rpc-error.ts";
import { delay } from "../../src/base/timers.ts";
import { PostgresStore } from "../../src/stores/postgres/postgres-store.ts";
import { expectOutcome } from "../conformance/store/store-harness.ts";
import { eventually, type PostgresServer, startPostgres } from "../postgres/postgres-server.ts";
import { sharedPostgres } from "../postgres/shared-postgres.ts";
import type { TestDatabases } from "../postgres/test-databases.ts";
import { PostgresLoad } from "./postgres-load.ts";
import { type CommitCut, PostgresProxy } from "./postgres-proxy.ts";

function portOf(databases: TestDatabases): number {
  return Number(new URL(databases.url()).port);
}

/** Loads a store for a while, with faults meanwhile; checks what the database holds afterwards. */
async function withFaults(
  url: string,
  [databases, database]: [TestDatabases, string],
  faults: () => Promise<void>,
): Promise<PostgresLoad> {
  const store = await PostgresStore.open(url);
  try {
    const load = new PostgresLoad(store);
    let isStopped = false;
    const lives = load.run(8, () => isStopped);
    await Promise.race([eventually("lives are lived", async () => load.report.lives > 8), lives]);
    await Promise.race([faults(), lives]);
    isStopped = true;
    await lives;
    await load.check(databases, database);
    return load;
  } finally {
    await store.close();
  }
}

describe("a store behind a network that fails", () => {
  let databases: TestDatabases;
  let proxy: PostgresProxy;
  let database: string;
  before(async () => {
    databases = await sharedPostgres();
    proxy = await PostgresProxy.open(portOf(databases));
    database = await databases.createDatabase();
  });
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await databases.dropDatabase(database);
  });

  for (const where of ["before", "in", "after"] as const satisfies readonly CommitCut[]) {
    test(`a start that loses its connection ${where} COMMIT makes one operation for its request id`, async () => {
      const store = await PostgresStore.open(proxy.url(database));
      try {
        const { world } = new PostgresLoad(store);
        await world.started();
        const requestKey = { method: "start", requestId: `cut-${where}`, digest: "d" };
        const cut = proxy.cutCommits(where);
        const first = await store.commit([world.start({ requestKey })]).catch((error: unknown) => error);
        await cut;
        if (first instanceof Error) {
          assert(first instanceof RpcError && first.reason === "STORAGE_UNAVAILABLE", String(first));
        }
        const again = expectOutcome(await world.run(world.start({ requestKey })), "operation").record;
        if (!(first instanceof Error)) {
          const { outcomes } = first as Awaited<ReturnType<PostgresStore["commit"]>>;
          assert.equal(expectOutcome(outcomes[0], "operation").record.name, again.name);
        }
        const made =
          "SELECT name FROM operations JOIN request_keys USING (service, tenant, name) WHERE request_id = $1";
        const rows = await databases.query(made, [requestKey.requestId], database);
        assert.deepEqual(rows, [{ name: again.name }]);
      } finally {
        await store.close();
      }
    });
  }

  test("commits that lose their connections at any point, under load, leave whole lives", async (context) => {
    const load = await withFaults(proxy.url(database), [databases, database], async () => {
      for (let round = 0; round < 12; round++) {
        const where = (["before", "in", "after"] as const)[round % 3] ?? "in";
        await proxy.cutCommits(where, 1 + (round % 2));
        await delay(20);
        if (round % 4 === 3) proxy.cutAll();
      }
    });
    context.diagnostic(JSON.stringify(load.report));
    assert(load.report.unknown > 0, "some answers were lost");
  });

  test("a network that says nothing for a while is waited for, and nothing is lost", async (context) => {
    const load = await withFaults(proxy.url(database), [databases, database], async () => {
      await delay(100);
      proxy.mute();
      await delay(700);
      proxy.mend();
      await delay(100);
      proxy.refuse();
      await delay(300);
      proxy.mend();
      await delay(100);
    });
    context.diagnostic(JSON.stringify(load.report));
  });

  test("backends that an administrator ends, one after the other, lose nothing", async (context) => {
    const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 ORDER BY random() LIMIT 1`;
    const load = await withFaults(databases.url(database), [databases, database], async () => {
      for (let round = 0; round < 15; round++) {
        await databases.query(end, [database]);
        await delay(30);
      }
    });
    context.diagnostic(JSON.stringify(load.report));
  });
});

describe("a store on a server with little room", () => {
  const role = "belay";
  let server: PostgresServer;
  let database: string;
  before(async () => {
    server = await startPostgres({ settings: { max_connections: 12, superuser_reserved_connections: 4 } });
    await server.query(`CREATE ROLE ${role} LOGIN`);
    database = await server.createDatabase();
    await server.query(`ALTER DATABASE ${database} OWNER TO ${role}`);
  });
  after(() => server?.stop("immediate"));

  const url = (): string => server.url(database).replace("postgres@", `${role}@`);

  test("when strangers take all other connections, a store goes on with those that it has", async () => {
    const { Client } = await import("pg");
    // Its schema is there before the rest of the connections is taken.
    await (await PostgresStore.open(url())).close();
    const taken: InstanceType<typeof Client>[] = [];
    const store = await PostgresStore.open(url());
    try {
      const load = new PostgresLoad(store);
      let isStopped = false;
      const lives = load.run(20, () => isStopped);
      // It has what commits need then.
      await Promise.race([eventually("lives are lived", async () => load.report.lives > 20), lives]);
      for (;;) {
        const client = new Client({ connectionString: url() });
        client.on("error", () => {});
        try {
          await client.connect();
        } catch (error) {
          assert.match(String(error), /connection slots|too many/);
          break;
        }
        taken.push(client);
      }
      const before = load.report.lives;
      // What it has open is enough to go on.
      await Promise.race([eventually("lives go on", async () => load.report.lives > before + 20), lives]);
      for (const client of taken) await client.end();
      isStopped = true;
      await lives;
      await load.check(server, database);
    } finally {
      for (const client of taken) await client.end().catch(() => {});
      await store.close();
    }
  });

  test("a role's statement timeout ends no COMMIT that waits for a standby, and no wait loses anything", async () => {
    await server.query(`ALTER ROLE ${role} SET statement_timeout = '200ms'`);
    const store = await PostgresStore.open(url());
    try {
      const { world } = new PostgresLoad(store);
      await world.started();
      await server.set({ synchronous_standby_names: "nobody" });
      let isAnswered = false;
      const start = world.started().then((record) => {
        isAnswered = true;
        return record;
      });
      const waits = "SELECT 1 FROM pg_stat_activity WHERE datname = $1 AND wait_event = 'SyncRep'";
      await eventually("it waits", async () => (await server.query(waits, [database])).length > 0);
      await delay(800);
      assert.equal(isAnswered, false, "not before the standby has it");
      assert.equal((await server.query(waits, [database])).length, 1, "and it was not cancelled");
      await server.set({ synchronous_standby_names: "" });
      const record = await start;
      assert.equal((await world.get(record)).record.state, "PENDING");
    } finally {
      await server.set({ synchronous_standby_names: "" });
      await store.close();
      await server.query(`ALTER ROLE ${role} RESET statement_timeout`);
    }
  });

  test("a COMMIT whose wait for the standby an operator cancels is not acknowledged", async () => {
    const store = await PostgresStore.open(url());
    try {
      const { world } = new PostgresLoad(store);
      await world.started();
      await server.set({ synchronous_standby_names: "nobody" });
      const start = world.store.commit([world.start()]).catch((error: unknown) => error);
      const cancel = `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND wait_event = 'SyncRep'`;
      await eventually("it was cancelled", async () => (await server.query(cancel, [database])).length > 0);
      const error = await start;
      assert(error instanceof RpcError && error.reason === "STORAGE_UNAVAILABLE", String(error));
    } finally {
      await server.set({ synchronous_standby_names: "" });
      await store.close();
    }
  });

  test("a lock that a stranger holds makes commits wait or fail, and they go on without it", async () => {
    await server.query(`ALTER ROLE ${role} SET statement_timeout = '150ms'`);
    const load = await withFaults(url(), [server, database], async () => {
      await delay(100);
      await server.query(
        "BEGIN; LOCK TABLE operations IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(0.6); COMMIT",
        [],
        database,
      );
      await delay(100);
    });
    assert(load.report.slowestMs > 300, "some had to wait");
    await server.query(`ALTER ROLE ${role} RESET statement_timeout`);
  });
});
