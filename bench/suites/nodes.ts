// Two Belay nodes against one on the same PostgreSQL: what is gained, and which process keeps the cores busy meanwhile.
import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Child } from "../child.ts";
import {
  type Measurement,
  measured,
  median,
  ratios,
  roundsOf,
  type Suite,
  type SuiteOptions,
} from "../measurement.ts";
import type { Rate } from "../peers/peer-drives.ts";
import { withNodes } from "../peers/peer-run.ts";
import { machineCpuMs, treeCpuMs } from "../process-cpu.ts";
import { type CpuShares, showSaturation } from "../saturation.ts";

const IN_FLIGHT = 500;
const profiles = new URL("../profiles/", import.meta.url);

/** One run of some nodes: all their operations each second, and what each process used of one core. */
interface NodesRun extends Omit<CpuShares, "cores"> {
  perSecond: number;
}

async function usage(node: Child): Promise<number> {
  return (await node.ask<{ cpuMs: number }>({ ask: "usage" })).cpuMs;
}

/** Each node starts and runs its share of the operations in flight, as a program that embeds Belay does. */
function run(count: number, options: SuiteOptions, isProfiled: boolean): Promise<NodesRun> {
  const ms = options.isQuick ? 2_000 : 5_000;
  return withNodes(count, async (nodes, postgres) => {
    await Promise.all(nodes.map((node) => node.ask({ ask: "work" })));
    const live = async (time: number): Promise<number> => {
      const question = { ask: "live", inFlight: IN_FLIGHT / count, ms: time };
      const rates = await Promise.all(nodes.map((node) => node.ask<Rate>(question)));
      return rates.reduce((sum, { perSecond }) => sum + perSecond, 0);
    };
    await live(1_000);
    if (isProfiled) await Promise.all(nodes.map((node) => node.ask({ ask: "profile" })));
    const before = await Promise.all(nodes.map(usage));
    const postgresBefore = treeCpuMs(postgres.pid);
    const machineBefore = machineCpuMs();
    const began = performance.now();
    const perSecond = await live(ms);
    const elapsedMs = performance.now() - began;
    const machineMs = machineCpuMs() - machineBefore;
    const after = await Promise.all(nodes.map(usage));
    const postgresMs = treeCpuMs(postgres.pid) - postgresBefore;
    if (isProfiled) {
      mkdirSync(profiles, { recursive: true });
      const stop = (node: Child, index: number): Promise<unknown> => {
        const path = fileURLToPath(new URL(`nodes-${count}-${index + 1}.cpuprofile`, profiles));
        return node.ask({ ask: "profiled", path });
      };
      await Promise.all(nodes.map(stop));
    }
    return {
      perSecond,
      nodes: after.map((value, index) => ((value - (before[index] ?? 0)) / elapsedMs) * 100),
      postgres: (postgresMs / elapsedMs) * 100,
      machine: (machineMs / elapsedMs) * 100,
    };
  });
}

async function compare(options: SuiteOptions): Promise<readonly Measurement[]> {
  const one: NodesRun[] = [];
  const two: NodesRun[] = [];
  for (let round = 0; round < roundsOf(options); round++) {
    one.push(await run(1, options, false));
    two.push(await run(2, options, false));
  }
  // Profiling slows what it looks at: its runs are not counted.
  await run(1, options, true);
  await run(2, options, true);
  const rates = (runs: readonly NodesRun[]): number[] => runs.map(({ perSecond }) => perSecond);
  const cores = availableParallelism();
  const cpu = (name: string, values: readonly number[], note = `of one core; the machine has ${cores}`) =>
    measured(name, "%", values, null, note);
  /** What each process used, and what it means, by the medians. */
  const shares = (runs: readonly NodesRun[]): Measurement[] => {
    const count = runs[0]?.nodes.length ?? 0;
    const nodes = Array.from({ length: count }, (_, nth) => runs.map((one) => one.nodes[nth] ?? Number.NaN));
    const [postgres, machine] = [runs.map((one) => one.postgres), runs.map((one) => one.machine)];
    const middle = { nodes: nodes.map(median), postgres: median(postgres), machine: median(machine), cores };
    return [
      ...nodes.map((values, nth) => cpu(`nodes-${count} CPU node ${nth + 1}`, values)),
      cpu(`nodes-${count} CPU PostgreSQL`, postgres),
      cpu(`nodes-${count} CPU of the machine`, machine, showSaturation(middle)),
    ];
  };
  return [
    measured("nodes-1", "1/s", rates(one), null, `${IN_FLIGHT} in flight, start to done`),
    measured("nodes-2", "1/s", rates(two), null, `${IN_FLIGHT / 2} in flight on each`),
    measured("nodes-2 / nodes-1", "x", ratios(rates(two), rates(one)), null),
    ...shares(one),
    ...shares(two),
  ];
}

export const nodesSuite: Suite = {
  name: "nodes",
  method: `One Belay node with an embedded worker on PostgreSQL, against two on the same database, ${IN_FLIGHT} operations in flight in all; CPU time of each process and of the whole machine over the run, and who keeps the cores busy; profiles of the nodes in bench/profiles/.`,
  run: compare,
};
