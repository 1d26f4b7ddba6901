// Three nodes on one PostgreSQL database, briefly: one is killed and one is stopped past the leases that it renews, while
// callers start, read and cancel through all of them. What they were answered is checked as one history.
import { test } from "node:test";
import { passingWhereStopped } from "../history/recorder.ts";
import { freezeNode, killNode } from "./cluster-breaks.ts";
import { ownDatabase, runCluster } from "./run-cluster.ts";

test("three nodes of which one is killed and one is stopped answer one linearizable history", async (t) => {
  await using database = await ownDatabase();
  await runCluster(t, {
    cluster: { store: database.url, leaseMs: 2000 },
    load: { passing: passingWhereStopped, callTimeoutMs: 1500 },
    breaks: async (cluster, _random, recorder) => {
      const [first, second] = cluster.nodes;
      await recorder.more(60);
      await Promise.all([killNode(cluster, first!, 0), freezeNode(cluster, second!, 2500)]);
      await recorder.more(60);
    },
  });
});
