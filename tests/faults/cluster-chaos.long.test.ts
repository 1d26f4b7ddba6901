// Everything that can happen to three nodes, their database and their workers, mixed by a seed. A run that fails names its
// seed: it goes into chaos-seeds.ts. BELAY_TEST_SEED runs one seed, BELAY_TEST_CHAOS_SECONDS as long as one likes.
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { delay } from "../../src/base/timers.ts";
import { passingWhereStopped } from "../history/recorder.ts";
import { type PostgresServer, startPostgres } from "../postgres/postgres-server.ts";
import type { ChaosRandom } from "./chaos-random.ts";
import { failedClusterSeeds } from "./chaos-seeds.ts";
import type { Cluster } from "./cluster.ts";
import { freezeNode, killNode, restartNode } from "./cluster-breaks.ts";
import { PostgresProxy } from "./postgres-proxy.ts";
import { runCluster } from "./run-cluster.ts";

const { BELAY_TEST_SEED = "", BELAY_TEST_CHAOS_SECONDS = "40" } = process.env;
const seeds =
  BELAY_TEST_SEED === "" ? [...failedClusterSeeds, randomInt(2 ** 31)] : [Number(BELAY_TEST_SEED)];

for (const seed of seeds) {
  test(`cluster chaos of seed ${seed}: one linearizable history, and every receipt tells what really happened`, async (t) => {
    await using server = await startPostgres();
    await using proxy = await PostgresProxy.open(server.port);
    const endMs = performance.now() + Number(BELAY_TEST_CHAOS_SECONDS) * 1000;
    await runCluster(t, {
      seed,
      cluster: { store: proxy.url(await server.createDatabase()), workers: 3 },
      load: { callers: 8, passing: passingWhereStopped, callTimeoutMs: 3000 },
      breaks: async (cluster, random) => {
        const isOver = (): boolean => performance.now() >= endMs;
        const nodes = breakOneByOne(random.fork(), isOver, 2000, (own) => breakNode(cluster, own));
        const base = breakOneByOne(random.fork(), isOver, 6000, (own) =>
          breakDatabase(cluster, server, proxy, own),
        );
        const workers = breakOneByOne(random.fork(), isOver, 5000, (own) => breakWorker(cluster, own));
        await Promise.all([nodes, base, workers]);
      },
    });
  });
}

async function breakOneByOne(
  random: ChaosRandom,
  isOver: () => boolean,
  pauseMaxMs: number,
  breaks: (random: ChaosRandom) => Promise<void>,
): Promise<void> {
  for (;;) {
    await delay(random.whole(200, pauseMaxMs));
    if (isOver()) return;
    await breaks(random);
  }
}

async function breakNode(cluster: Cluster, random: ChaosRandom): Promise<void> {
  const node = random.pick(cluster.nodes);
  const what = random.pick(["kill", "kill", "stop", "stop", "restart"]);
  if (what === "kill") await killNode(cluster, node, random.whole(0, 1500));
  else if (what === "stop") await freezeNode(cluster, node, random.whole(100, 5000));
  else await restartNode(cluster, node);
}

async function breakDatabase(
  cluster: Cluster,
  server: PostgresServer,
  proxy: PostgresProxy,
  random: ChaosRandom,
): Promise<void> {
  const what = random.pick(["restart", "kill", "cut", "mute", "deaf", "before", "in", "after"] as const);
  await cluster.trouble("server", `database ${what}`, async () => {
    if (what === "restart") await server.restart("fast");
    else if (what === "kill") await server.restart("kill");
    else if (what === "cut") proxy.cutAll();
    else if (what === "mute") {
      proxy.mute();
      await delay(random.whole(100, 3000));
      proxy.mend();
    } else if (what === "deaf") {
      proxy.losesNotifications = true;
      await delay(random.whole(500, 4000));
      proxy.losesNotifications = false;
    } else await proxy.cutCommits(what, random.whole(1, 3));
  });
}

async function breakWorker(cluster: Cluster, random: ChaosRandom): Promise<void> {
  const index = random.whole(0, cluster.workers.length - 1);
  await cluster.trouble(`w${index}`, "SIGKILL", () => cluster.workers[index]!.kill());
}
