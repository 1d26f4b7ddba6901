// What a suite answers, and the arithmetic on rounds.

/** One figure of the results: the median over the rounds, with the rounds beside it. */
export interface Measurement {
  name: string;
  /** NaN where nothing was seen in any round (`null` in JSON). */
  value: number;
  unit: string;
  /** For instance ">= 0.8" or "< 15". */
  target: string;
  met: boolean;
  rounds: readonly number[];
  note?: string;
}

/** How a run of the bench was asked for. */
export interface SuiteOptions {
  /** One short round: to see that a suite works. Its figures are not written down. */
  isQuick: boolean;
  /** The subjects that are measured; empty: all. Figures of a part are not written down. */
  subjects: readonly string[];
  /** How many operations `postgres-scale` compares with its 10,000. Figures of another size are not written down. */
  rows?: number;
}

export interface Suite {
  name: string;
  /** One sentence: what is compared with what. */
  method: string;
  run(options: SuiteOptions): Promise<readonly Measurement[]>;
}

export const ROUNDS = 3;

export function roundsOf({ isQuick }: SuiteOptions): number {
  return isQuick ? 1 : ROUNDS;
}

export function percentile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}

/** Of the values that are numbers. */
export function median(values: readonly number[]): number {
  return percentile(
    values.filter((value) => !Number.isNaN(value)),
    0.5,
  );
}

type Comparison = ">=" | "<";

/** The median of the rounds against a target. */
export function measured(
  name: string,
  unit: string,
  rounds: readonly number[],
  target: readonly [Comparison, number] | null,
  note?: string,
): Measurement {
  const value = median(rounds);
  const met = target === null || (target[0] === ">=" ? value >= target[1] : value < target[1]);
  const text = target === null ? "-" : `${target[0]} ${target[1]}`;
  return { name, value, unit, target: text, met, rounds, ...(note === undefined ? {} : { note }) };
}

/** Runs the sides one after the other, for some rounds, so that a slow minute of the machine hits all of them. */
export async function alternate<Side extends string, Answer = number>(
  sides: Readonly<Record<Side, () => Promise<Answer>>>,
  rounds: number = ROUNDS,
): Promise<Record<Side, Answer[]>> {
  const names = Object.keys(sides) as Side[];
  const results = Object.fromEntries(names.map((name) => [name, [] as Answer[]])) as Record<Side, Answer[]>;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) results[name].push(await sides[name]());
  }
  return results;
}

/** Round by round: one side divided by another. */
export function ratios(dividend: readonly number[], divisor: readonly number[]): number[] {
  return dividend.map((value, index) => value / (divisor[index] ?? Number.NaN));
}

/** Of several sides the one with the best median: the highest, or the lowest. */
export function bestOf(
  sides: Readonly<Record<string, readonly number[]>>,
  names: readonly string[],
  best: "highest" | "lowest",
): { name: string; rounds: readonly number[] } | null {
  const sign = best === "highest" ? 1 : -1;
  const rows = names
    .map((name) => ({ name, rounds: sides[name] ?? [] }))
    .filter(({ rounds }) => !Number.isNaN(median(rounds)))
    .toSorted((a, b) => sign * (median(b.rounds) - median(a.rounds)));
  return rows[0] ?? null;
}
