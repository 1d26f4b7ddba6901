// What happens to the database of three nodes: it restarts, it is killed, connections are reset, answers to COMMIT are lost,
// notifications are. What was acknowledged stays; what was not is healed by request ids.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../src/testing/eventually.ts";
import { passingWhereStopped, RecordedCaller } from "../history/recorder.ts";
import { startPostgres } from "../postgres/postgres-server.ts";
import { PostgresProxy } from "./postgres-proxy.ts";
import { ownDatabase, runCluster } from "./run-cluster.ts";

test("a database that restarts and is killed loses nothing that was acknowledged", async (t) => {
  await using server = await startPostgres();
  const store = server.url(await server.createDatabase());
  await runCluster(t, {
    cluster: { store },
    load: { passing: passingWhereStopped },
    breaks: async (cluster, _random, recorder) => {
      for (const mode of ["fast", "kill", "immediate"] as const) {
        await recorder.more(150);
        await cluster.trouble("server", `database ${mode}`, () => server.restart(mode));
      }
      await recorder.more(150);
    },
  });
});

test("commits whose answer is lost are found again by their request id", async (t) => {
  await using database = await ownDatabase();
  const { port, pathname } = new URL(database.url);
  await using proxy = await PostgresProxy.open(Number(port));
  await runCluster(t, {
    cluster: { store: proxy.url(pathname.slice(1)) },
    load: { passing: passingWhereStopped },
    breaks: async (cluster, _random, recorder) => {
      for (let round = 0; round < 3; round++)
        for (const where of ["before", "in", "after"] as const)
          await cluster.trouble("server", `a commit cut ${where}`, () => proxy.cutCommits(where));
      await cluster.trouble("server", "connections reset", async () => proxy.cutAll());
      await recorder.more(100);
    },
  });
});

/** Some looks at the feed, 250 ms apart, or a heartbeat; the rest is for a machine that does other things, too. */
const POLLED_MS = 10_000;
const ROUNDS = 5;

test("without notifications starts, ends and cancels cross the nodes all the same, by polling", async (t) => {
  await using database = await ownDatabase();
  const { port, pathname } = new URL(database.url);
  await using proxy = await PostgresProxy.open(Number(port));
  await runCluster(t, {
    cluster: { store: proxy.url(pathname.slice(1)) },
    breaks: async (cluster, _random, recorder) => {
      const [first, second, third] = cluster.nodes.map(
        ({ address, name }) => new RecordedCaller(recorder, { name: `at ${name}`, addresses: [address] }),
      );
      proxy.losesNotifications = true;
      for (let round = 0; round < ROUNDS; round++) {
        const requestId = `poll-${round}`;
        const payload = { ms: 60_000, beatMs: 20 };
        const name = await first!.start("trace.inline", { payload, requestId }, () => false);
        assert.ok(name);
        await eventually("it runs", async () => (await second!.get(name))?.attempt === 1);
        const waiting = third!.wait(name, 10_000);
        const cancelMs = performance.now();
        await second!.cancel(name);
        await waiting;
        const tookMs = performance.now() - cancelMs;
        t.diagnostic(`cancelled on one node, told on another after ${tookMs.toFixed(0)} ms`);
        assert.ok(tookMs < POLLED_MS, `after ${tookMs} ms`);
      }
      for (const caller of [first, second, third]) caller!.close();
      proxy.losesNotifications = false;
      assert.ok(proxy.notificationsLost >= ROUNDS, `${proxy.notificationsLost} were lost`);
    },
  });
});
