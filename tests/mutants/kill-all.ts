// Makes one test of each mutant. Two run side by side, each on a copy of its own: a mutant mostly waits for a process.
import { after, describe, test } from "node:test";
import { Copy, type Mutant } from "./run-mutant.ts";

/** One test for each mutant: it passes when the mutant is killed. */
export function killAll(title: string, mutants: readonly Mutant[]): void {
  const free: Copy[] = [];
  const kill = async (mutant: Mutant): Promise<void> => {
    const copy = free.pop() ?? new Copy();
    try {
      await copy.kill(mutant);
    } finally {
      free.push(copy);
    }
  };
  describe(title, { concurrency: 2 }, () => {
    for (const mutant of mutants) test(`${mutant.breaks}: ${mutant.name}`, () => kill(mutant));
    after(() => {
      for (const copy of free) copy.remove();
    });
  });
}
