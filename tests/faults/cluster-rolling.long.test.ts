// A rolling restart of three nodes under load (L4): nothing is lost, nothing ends twice, and no client is handed an error that
// its standard retries do not take care of.
import assert from "node:assert/strict";
import { test } from "node:test";
import { rollNodes } from "./cluster-breaks.ts";
import { ownDatabase, runCluster } from "./run-cluster.ts";
import { StandardClients } from "./standard-clients.ts";

test("google-gax, grpc-js with a retry policy, and Belay's own client see nothing of a rolling restart", async (t) => {
  await using database = await ownDatabase();
  await runCluster(t, {
    cluster: { store: database.url, workers: 2 },
    // The recorded callers keep every error but UNAVAILABLE: that is the rule of a standard client.
    breaks: async (cluster, _random, recorder) => {
      const ports = cluster.nodes.map(({ port }) => port);
      const [host = "", port] = cluster.address.split(":");
      const standard = ["g0", "g1"].map(
        (name) => new StandardClients(name, recorder, ports, { host, port: Number(port) }),
      );
      let isOver = false;
      const running = standard.map((clients) => clients.run(() => isOver));
      try {
        await recorder.more(100);
        await rollNodes(cluster, () => recorder.more(150));
      } finally {
        isOver = true;
        await Promise.all(running);
      }
      for (const clients of standard) {
        t.diagnostic(`${clients.calls} calls, ${clients.ended} operations to their end`);
        assert.deepEqual(clients.errors, []);
        clients.close();
      }
    },
  });
});
