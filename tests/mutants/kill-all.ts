// Makes one test of each mutant, and runs them on two copies side by side: a mutant mostly waits for a process to start.
import { after, test } from "node:test";
import { Copy, type Mutant } from "./run-mutant.ts";

const LANES = 2;

/** One test for each mutant: it passes when the mutant is killed. Call it once in a test file. */
export function killAll(mutants: readonly Mutant[]): void {
  const copies = Array.from({ length: LANES }, () => new Copy());
  const lanes = copies.map((): Promise<unknown> => Promise.resolve());
  for (const [index, mutant] of mutants.entries()) {
    const lane = index % LANES;
    const copy = copies[lane];
    const ended = Promise.resolve(lanes[lane]).then(() => copy?.kill(mutant));
    lanes[lane] = ended.catch(() => undefined);
    test(`${mutant.breaks}: ${mutant.name}`, () => ended);
  }
  after(async () => {
    await Promise.all(lanes);
    for (const copy of copies) copy.remove();
  });
}
