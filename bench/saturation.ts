// Which process keeps the cores busy, in words: read off the CPU shares of one run.

/** CPU time over elapsed time, in percent of one core. */
export interface CpuShares {
  /** One Belay node each. */
  nodes: readonly number[];
  /** All processes of the server. */
  postgres: number;
  /** Of everything that runs on the machine, these among it. */
  machine: number;
  cores: number;
}

/** From here on a core, or all of them, count as full: the rest is the scheduler's. */
const FULL = 90;

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

const percent = (value: number): string => `${Math.round(value)} %`;

/** One sentence: are the cores full, who takes the most of them, and what of it is nobody's here. */
export function showSaturation({ nodes, postgres, machine, cores }: CpuShares): string {
  const ours = sum(nodes) + postgres;
  const isFull = machine >= FULL * cores;
  const [busiest] = [
    { who: "PostgreSQL", share: postgres },
    { who: nodes.length === 1 ? "the node" : "the nodes", share: sum(nodes) },
  ].toSorted((a, b) => b.share - a.share);
  const others = Math.max(0, machine - ours);
  const taken = `${busiest?.who ?? "nobody"} with ${percent(((busiest?.share ?? 0) / ours) * 100)} of what Belay and its database use`;
  const rest = `${percent(others)} is other processes'`;
  if (isFull)
    return `the ${cores} cores are full (${percent(machine)} of ${percent(100 * cores)}; ${rest}), most of them ${taken}`;
  const full = nodes.findIndex((share) => share >= FULL);
  if (full >= 0)
    return `the cores are not full (${percent(machine)}; ${rest}), but node ${full + 1} has its own one; the most has ${taken}`;
  return `no process is at its limit (${percent(machine)} of ${percent(100 * cores)}; ${rest}): it waits for the disk; the most has ${taken}`;
}
