// What happens to nodes: killed with cancels in flight, stopped while they hold sessions and transactions, and a clock that is
// stepped. The database's clock decides, so that a node's own one can be anything.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { delay } from "../../src/base/timers.ts";
import { connect } from "../../src/client/client.ts";
import { passingWhereStopped } from "../history/recorder.ts";
import type { Cluster } from "./cluster.ts";
import { freezeNode, killNode } from "./cluster-breaks.ts";
import { ownDatabase, runCluster } from "./run-cluster.ts";

const KILLS = 6;

test("nodes that are killed with cancels in flight lose nothing, and no cancelled operation runs again", async (t) => {
  await using database = await ownDatabase();
  await runCluster(t, {
    cluster: { store: database.url },
    load: { callers: 10 },
    breaks: async (cluster, random, recorder) => {
      for (let kill = 0; kill < KILLS; kill++) {
        await recorder.more(random.whole(20, 200));
        await killNode(cluster, random.pick(cluster.nodes), random.whole(0, 500));
      }
    },
  });
});

test("nodes that are stopped past every lease, perhaps in a transaction, and go on, change nothing that was decided", async (t) => {
  await using database = await ownDatabase();
  await runCluster(t, {
    cluster: { store: database.url, leaseMs: 2000 },
    load: { passing: passingWhereStopped, callTimeoutMs: 1500 },
    breaks: async (cluster, random, recorder) => {
      for (const node of cluster.nodes) {
        await recorder.more(random.whole(20, 100));
        await freezeNode(cluster, node, random.whole(2500, 5000));
      }
    },
  });
});

/** The library that gives a process another clock. */
const libraries = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(
  (machine) => `/usr/lib/${machine}/faketime/libfaketime.so.1`,
);
const library = libraries.find((file) => existsSync(file));

test("a node whose clock is an hour ahead, and then an hour behind, takes no lease from anybody", {
  skip: library === undefined && "libfaketime is not installed",
}, async (t) => {
  await using database = await ownDatabase();
  const folder = mkdtempSync(join(tmpdir(), "belay-clock-"));
  const clock = join(folder, "offset");
  const step = (offset: string): void => writeFileSync(clock, `${offset}\n`);
  step("+0");
  const env = {
    ...{ LD_PRELOAD: library ?? "", FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: "1" },
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
  try {
    await runCluster(t, {
      cluster: { store: database.url, lastNodeEnv: env },
      breaks: async (cluster) => {
        for (const offset of ["+3600", "-3600", "+0"]) {
          step(offset);
          await delay(2500);
        }
        await assertNoLeaseLost(cluster);
      },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Nobody was stopped or killed: so no lease has passed. */
async function assertNoLeaseLost(cluster: Cluster): Promise<void> {
  using client = connect(cluster.nodes[0]!.address);
  const { operations } = await client.list({ pageSize: 1000 });
  for (const { name } of operations) {
    const { attempts } = await client.get(name);
    assert.ok(!attempts.some(({ outcome }) => outcome === "LEASE_EXPIRED"), `${name} lost its lease`);
  }
}
