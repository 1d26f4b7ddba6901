// Everything breaks for a minute and a half, and nobody is told a lie. A run that fails names its seed: it goes into
// chaos-seeds.ts. BELAY_TEST_SEED runs one seed, BELAY_TEST_CHAOS_SECONDS as long as one likes.
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { runChaos } from "./chaos.ts";
import { failedSeeds } from "./chaos-seeds.ts";

const { BELAY_TEST_SEED = "", BELAY_TEST_CHAOS_SECONDS = "90" } = process.env;
const seeds = BELAY_TEST_SEED === "" ? [...failedSeeds, randomInt(2 ** 31)] : [Number(BELAY_TEST_SEED)];

for (const seed of seeds) {
  test(`chaos of seed ${seed}: every acknowledgement is kept, and every receipt tells what really happened`, async (t) => {
    const report = await runChaos(seed, Number(BELAY_TEST_CHAOS_SECONDS) * 1000);
    t.diagnostic(JSON.stringify(report));
  });
}
