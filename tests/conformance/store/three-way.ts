// Random batches of commands, run by `decide` over maps in memory, by SQLite, and by PostgreSQL through two nodes in turn: all
// answer alike, and hold the same afterwards. Every other node's commit makes what a node remembers stale.
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Store } from "../../../src/engine/store.ts";
import { batchArbitrary, Run } from "./differential.ts";
import { assertSame, comparable } from "./differential-compare.ts";
import { MemoryModel } from "./memory-model.ts";
import { PostgresHarness } from "./postgres-harness.ts";
import { SqliteHarness } from "./sqlite-harness.ts";
import { World } from "./store-harness.ts";

const turnsArbitrary = fc.array(fc.record({ batch: batchArbitrary, node: fc.nat({ max: 1 }) }), {
  minLength: 1,
  maxLength: 12,
});

/** Runs on one pair of stores: all of a store's operations are looked at again and again, so that many runs get slow. */
const RUNS_PER_STORE = 100;

/** Runs `runs` random sequences, and shrinks the first on which the three differ. */
export async function exerciseThreeWays(runs: number): Promise<void> {
  for (let left = runs; left > 0; left -= RUNS_PER_STORE)
    await exerciseStores(Math.min(left, RUNS_PER_STORE));
}

async function exerciseStores(runs: number): Promise<void> {
  const [sqlite, postgres] = await Promise.all([new SqliteHarness().open(), PostgresHarness.open()]);
  const second = await postgres.openNode();
  const nodes: readonly Store[] = [postgres.store, second];
  try {
    const property = fc.asyncProperty(turnsArbitrary, async (turns) => {
      const world = new World(sqlite);
      const twin = new World(postgres, world);
      // Their clocks stand at the same instant, so the commands of one world are those of the other.
      const run = new Run(world);
      const model = new MemoryModel();
      for (const { batch, node } of turns) {
        for (const harness of [sqlite, postgres]) harness.advance(batch.advanceMs);
        const commands = run.batch(batch.steps);
        const expected = comparable(model.commit(commands, world.store.clock.now()), commands);
        const [embedded, shared] = await Promise.all([
          sqlite.store.commit(commands),
          nodes[node]!.commit(commands),
        ]);
        assert.deepEqual(comparable(embedded.outcomes, commands), expected, "SQLite");
        assert.deepEqual(comparable(shared.outcomes, commands), expected, `PostgreSQL, node ${node}`);
      }
      await assertSame(world, model, run.keys());
      await assertSame(twin, model, run.keys());
    });
    await fc.assert(property, { numRuns: runs });
  } finally {
    await second.close();
    await Promise.all([sqlite.dispose(), postgres.dispose()]);
  }
}
