// What a suite answers, and the arithmetic on rounds.

/** One figure of the results: the median over the rounds, with the rounds beside it. */
export interface Measurement {
  name: string;
  value: number;
  unit: string;
  /** For instance ">= 0.8" or "< 15". */
  target: string;
  met: boolean;
  rounds: readonly number[];
  note?: string;
}

export interface Suite {
  name: string;
  /** One sentence: what is compared with what. */
  method: string;
  run(): Promise<readonly Measurement[]>;
}

export const ROUNDS = 3;

export function percentile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
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

/** Runs the sides one after the other, ROUNDS times, so that a slow minute of the machine hits all of them. */
export async function alternate<Side extends string>(
  sides: Readonly<Record<Side, () => Promise<number>>>,
): Promise<Record<Side, number[]>> {
  const names = Object.keys(sides) as Side[];
  const results = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Side, number[]>;
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) results[name].push(await sides[name]());
  }
  return results;
}

/** Round by round: one side divided by another. */
export function ratios(dividend: readonly number[], divisor: readonly number[]): number[] {
  return dividend.map((value, index) => value / (divisor[index] ?? Number.NaN));
}
