// A standby that takes over under load. Synchronous, it loses nothing; asynchronous, what it had not received is gone, and that is
// shown here, so that nobody has to believe it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { delay } from "../../src/base/timers.ts";
import type { OperationRecord } from "../../src/engine/operation.ts";
import { PostgresStore } from "../../src/stores/postgres/postgres-store.ts";
import { keyOf } from "../conformance/store/store-harness.ts";
import { type PostgresServer, startPostgres } from "../postgres/postgres-server.ts";
import { PostgresLoad } from "./postgres-load.ts";
import { PostgresProxy } from "./postgres-proxy.ts";
import { serveThroughFaults } from "./postgres-rounds.ts";

/** A pair whose primary has a database. */
async function pair(): Promise<{ primary: PostgresServer; standby: PostgresServer; database: string }> {
  const primary = await startPostgres();
  const database = await primary.createDatabase();
  return { primary, standby: await primary.standby(), database };
}

/** The standby hears nothing more of its primary. */
async function cutOff(standby: PostgresServer): Promise<void> {
  await standby.set({ primary_conninfo: "host=127.0.0.1 port=1" });
}

async function startMany(load: PostgresLoad, count: number): Promise<OperationRecord[]> {
  const { world } = load;
  return Promise.all(Array.from({ length: count }, () => world.started()));
}

describe("a standby takes over", () => {
  for (const address of ["an address that moves to it", "a list of hosts"] as const) {
    test(`under load, synchronous, by ${address}: nothing is lost`, async (context) => {
      const { primary, standby, database } = await pair();
      await using proxy = await PostgresProxy.open(primary.port);
      try {
        await primary.set({ synchronous_standby_names: "standby" });
        const hosts = `127.0.0.1:${primary.port},127.0.0.1:${standby.port}`;
        const isMoving = address === "an address that moves to it";
        const result = await serveThroughFaults({
          url: isMoving ? proxy.url(database) : `postgres://postgres@${hosts}/${database}`,
          audit: () => ({ databases: standby, database }),
          faults: async () => {
            await delay(1500);
            await primary.stop("kill");
            await standby.promote();
            proxy.retarget(standby.port);
          },
        });
        context.diagnostic(JSON.stringify(result));
      } finally {
        await primary.stop("kill");
        await standby.stop("kill");
      }
    });
  }

  test("synchronous and cut off: nothing is acknowledged that it lacks", async () => {
    const { primary, standby, database } = await pair();
    await using proxy = await PostgresProxy.open(primary.port);
    await primary.set({ synchronous_standby_names: "standby" });
    const store = await PostgresStore.open(proxy.url(database));
    try {
      const load = new PostgresLoad(store);
      const before = await startMany(load, 20);
      await cutOff(standby);
      let acknowledged = 0;
      const during = Array.from({ length: 20 }, () =>
        load.world.started().then(
          () => acknowledged++,
          () => {},
        ),
      );
      await delay(1000);
      assert.equal(acknowledged, 0);
      await primary.stop("kill");
      await standby.promote();
      proxy.retarget(standby.port);
      await Promise.all(during);
      for (const record of before) assert(await store.getOperation(keyOf(record)), record.name);
      await startMany(load, 20);
    } finally {
      await store.close();
      await standby.stop("kill");
    }
  });

  test("asynchronous: it loses what it had not received, and the store goes on without it", async (context) => {
    const { primary, standby, database } = await pair();
    await using proxy = await PostgresProxy.open(primary.port);
    const store = await PostgresStore.open(proxy.url(database));
    try {
      const load = new PostgresLoad(store);
      const before = await startMany(load, 20);
      await standby.caughtUp(primary);
      await cutOff(standby);
      const during = await startMany(load, 20);
      await primary.stop("kill");
      await standby.promote();
      proxy.retarget(standby.port);
      for (const record of before) assert(await store.getOperation(keyOf(record)), record.name);
      const found = await Promise.all(during.map((record) => store.getOperation(keyOf(record))));
      const lost = found.filter((stored) => stored === undefined).length;
      context.diagnostic(`${lost} of ${during.length} acknowledged starts are gone`);
      assert.equal(lost, during.length);
      // What the store remembers of them must not come back as if it were stored.
      const [record] = during;
      assert(record);
      const { outcomes } = await store.commit([load.world.cancel(record)]);
      assert.equal(outcomes[0]?.type, "refused");
      const after = await startMany(load, 20);
      const last = Math.max(...during.map(({ createTime }) => createTime));
      for (const { createTime } of after) assert(createTime >= last, "its clock does not go back");
    } finally {
      await store.close();
      await standby.stop("kill");
    }
  });
});
