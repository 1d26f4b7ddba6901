// A cluster of three under Patroni and etcd, whose leader is killed under load. Synchronous mode loses nothing that was
// acknowledged; asynchronous mode is shown to lose.
import assert from "node:assert/strict";
import { test } from "node:test";
import { delay } from "../../src/base/timers.ts";
import { PostgresStore } from "../../src/stores/postgres/postgres-store.ts";
import { keyOf } from "../conformance/store/store-harness.ts";
import { eventually } from "../postgres/postgres-server.ts";
import { PatroniCluster } from "./patroni-cluster.ts";
import { PostgresLoad } from "./postgres-load.ts";
import { serveThroughFaults } from "./postgres-rounds.ts";

test("synchronous: the leader is killed under load, and nothing is lost", async (context) => {
  await using cluster = await PatroniCluster.start({ isSynchronous: true });
  const { databases } = await cluster.leader();
  const database = await databases.createDatabase();
  await eventually("the leader waits for a standby", () => cluster.isSynchronous());
  const away: number[] = [];
  let last = databases;
  const result = await serveThroughFaults({
    url: cluster.url(database),
    audit: () => ({ databases: last, database }),
    faults: async () => {
      await delay(2000);
      const leader = await cluster.leader();
      const killed = performance.now();
      await cluster.kill(leader);
      last = (await cluster.leader()).databases;
      away.push(Math.round(performance.now() - killed));
    },
  });
  context.diagnostic(`${JSON.stringify(result)}; a new leader after ${away.join(", ")} ms`);
});

test("asynchronous: what the standbys had not received is gone, and the store goes on", async (context) => {
  await using cluster = await PatroniCluster.start({ isSynchronous: false });
  const leader = await cluster.leader();
  const database = await leader.databases.createDatabase();
  const store = await PostgresStore.open(cluster.url(database));
  try {
    const load = new PostgresLoad(store);
    const before = await load.world.started();
    await delay(1000);
    await cluster.stopSending(leader);
    const acknowledged = [];
    for (let count = 0; count < 20; count++) acknowledged.push(await load.world.started());
    await cluster.kill(leader);
    await cluster.leader();
    await eventually("the store has found the new leader", async () => {
      try {
        await load.world.started();
        return true;
      } catch {
        return false;
      }
    });
    assert(await store.getOperation(keyOf(before)), "what they had received is there");
    const found = await Promise.all(acknowledged.map((record) => store.getOperation(keyOf(record))));
    const lost = found.filter((stored) => stored === undefined).length;
    context.diagnostic(`${lost} of ${acknowledged.length} acknowledged starts are gone`);
    assert(lost > 0, "asynchronous replication loses acknowledged commits");
  } finally {
    await store.close();
  }
});
