// One node on SQLite, killed under load: what its callers were answered is a history that the checker accepts.
import { test } from "node:test";
import { killNode } from "./cluster-breaks.ts";
import { runCluster } from "./run-cluster.ts";

const KILLS = 2;
/** Before, between and after. */
const CALLS = 100;

test("a server that is killed twice under load answers a linearizable history, and loses nothing", async (t) => {
  await runCluster(t, {
    load: { callers: 6 },
    breaks: async (cluster, _random, recorder) => {
      for (let kill = 0; kill < KILLS; kill++) {
        await recorder.more(CALLS);
        await killNode(cluster, cluster.nodes[0]!, 0);
      }
      await recorder.more(CALLS);
    },
  });
});
