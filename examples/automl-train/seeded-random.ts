// Random numbers that a seed decides, so that two runs with the same settings train the same model. No secret comes from
// here.

/** The next number, at least 0 and below 1. */
export type Random = () => number;

/**
 * Mulberry32: 32 bits of state, good enough to shuffle and to distort images. Any of the whole numbers may be negative
 * or large; each counts modulo 2^32.
 */
export function seededRandom(...seeds: readonly number[]): Random {
  // Stirred one after the other: (1, 2) and (2, 1) begin differently.
  let state = seeds.reduce((mixed, seed) => scramble((mixed + seed + 0x9e3779b9) | 0), 0);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    return scramble(state) / 2 ** 32;
  };
}

/** A whole number from 0 to 2^32 - 1 that looks unrelated to the one before. */
function scramble(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 15), value | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return (mixed ^ (mixed >>> 14)) >>> 0;
}

/** Shuffles in place (Fisher-Yates). */
export function shuffle(order: Uint32Array, random: Random): void {
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const kept = order[i] as number;
    order[i] = order[j] as number;
    order[j] = kept;
  }
}

/** Normally distributed with mean 0 and deviation 1 (Box-Muller). */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
