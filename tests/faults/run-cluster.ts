// A recorded run of a cluster: load on every node while something breaks, then the verdict on all of it.
import type { TestContext } from "node:test";
import { Recorder } from "../history/recorder.ts";
import { sharedPostgres } from "../postgres/shared-postgres.ts";
import { ChaosRandom } from "./chaos-random.ts";
import { Cluster, type ClusterOptions } from "./cluster.ts";
import { type ClusterLoad, runClusterLoad } from "./cluster-load.ts";
import { judgeCluster } from "./cluster-verdict.ts";

export interface ClusterRun {
  cluster?: ClusterOptions;
  load?: Partial<ClusterLoad>;
  seed?: number;
  /** What happens; when it resolves, everything is whole again, and the load ends. */
  breaks(cluster: Cluster, random: ChaosRandom, recorder: Recorder): Promise<void>;
}

/** A database of the run's PostgreSQL server. */
export interface RunDatabase extends AsyncDisposable {
  url: string;
}

export async function ownDatabase(): Promise<RunDatabase> {
  const server = await sharedPostgres();
  const name = await server.createDatabase();
  return {
    url: server.url(name),
    [Symbol.asyncDispose]: () => server.dropDatabase(name),
  };
}

/** Throws with everything that the run's callers were told and that does not hold. */
export async function runCluster(t: TestContext, run: ClusterRun): Promise<void> {
  const { load, seed = 1, breaks } = run;
  const beganMs = performance.now();
  const random = new ChaosRandom(seed);
  await using cluster = await Cluster.start(run.cluster);
  await using recorder = new Recorder();
  const { addresses } = cluster;
  await recorder.watch("watch 1", addresses);
  if (addresses.length > 1) await recorder.watch("watch 2", [...addresses].reverse());
  const servesMs = performance.now();
  let isOver = false;
  const loaded = runClusterLoad(
    recorder,
    { callers: 8, pauseMs: 40, addresses, ...load },
    random.fork(),
    () => isOver,
  );
  try {
    await breaks(cluster, random.fork(), recorder);
  } finally {
    isOver = true;
    await loaded;
  }
  const brokenMs = performance.now();
  const report = await judgeCluster(cluster, recorder);
  const [startS, loadS, judgeS] = [servesMs - beganMs, brokenMs - servesMs, performance.now() - brokenMs].map(
    (ms) => (ms / 1000).toFixed(1),
  );
  t.diagnostic(`started in ${startS} s, load ${loadS} s, verdict ${judgeS} s: ${JSON.stringify(report)}`);
}
