// Whole lives inside the process: start -> done of no-op operations, against one commit for each change.
import type { Belay } from "../belay-server.ts";
import { startChild } from "../child.ts";
import { alternate, type Measurement, measured, ratios, type Suite } from "../measurement.ts";

async function run(): Promise<readonly Measurement[]> {
  const belay = await startChild<Belay>(new URL("../belay-server.ts", import.meta.url));
  await using child = belay.child;
  const rounds = await alternate({
    belay: async () =>
      (await child.ask<{ perSecond: number }>({ ask: "lives", count: 20_000, inFlight: 1000 })).perSecond,
    single: async () =>
      (await child.ask<{ perSecond: number }>({ ask: "singleLives", count: 300 })).perSecond,
  });
  return [
    measured("lives", "1/s", rounds.belay, null, "start -> done, 1,000 in flight, inline no-op handler"),
    measured(
      "lives-single",
      "1/s",
      rounds.single,
      null,
      "start, grant, complete: each its own commit, one after the other",
    ),
    measured("lives-ratio", "x", ratios(rounds.belay, rounds.single), [">=", 10]),
  ];
}

export const livesSuite: Suite = {
  name: "lives",
  method:
    "Start to done of no-op operations inside the process, against one durable commit for each change on the same store and disk.",
  run,
};
