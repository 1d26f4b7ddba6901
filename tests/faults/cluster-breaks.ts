// What may happen to the nodes of a cluster: each of these ends with everything whole again.
import { delay } from "../../src/base/timers.ts";
import type { Cluster, ClusterNode } from "./cluster.ts";
import { isStopped } from "./outside.ts";

/** Each node in turn: SIGTERM, until it is gone by itself, and started again; with `between` after each. */
export async function rollNodes(cluster: Cluster, between: () => Promise<void>): Promise<void> {
  for (const node of cluster.nodes) {
    await restartNode(cluster, node);
    await between();
  }
}

export async function restartNode(cluster: Cluster, node: ClusterNode): Promise<void> {
  await cluster.trouble("server", `${node.name} restart`, async () => {
    const code = await node.stop("SIGTERM");
    if (code !== 0) throw new Error(`${node.name} ended with ${code} on SIGTERM:\n${node.output}`);
    await node.startAgain();
  });
}

/** Killed, away for a moment, and started again. */
export async function killNode(cluster: Cluster, node: ClusterNode, awayMs: number): Promise<void> {
  await cluster.trouble("server", `${node.name} kill`, async () => {
    await node.stop("SIGKILL");
    await delay(awayMs);
    await node.startAgain();
  });
}

/** Stopped where it stands, perhaps in a transaction, and continued. */
export async function freezeNode(cluster: Cluster, node: ClusterNode, ms: number): Promise<void> {
  await cluster.trouble("server", `${node.name} stop`, async () => {
    node.signal("SIGSTOP");
    await delay(ms);
    if (!isStopped(node.pid)) throw new Error(`${node.name} was not stopped all the while`);
    node.signal("SIGCONT");
  });
}
