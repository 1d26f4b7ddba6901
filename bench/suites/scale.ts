// Get and List with 10,000 and with 1,000,000 stored operations. Names are drawn at random, so that the cache of
// recent operations does not answer.
import type { Belay } from "../belay-server.ts";
import { startChild } from "../child.ts";
import { alternate, type Measurement, measured, ratios, type Suite } from "../measurement.ts";

const SMALL = 10_000;
const LARGE = 1_000_000;

async function run(): Promise<readonly Measurement[]> {
  const small = await startChild<Belay>(new URL("../belay-server.ts", import.meta.url));
  const large = await startChild<Belay>(new URL("../belay-server.ts", import.meta.url));
  await using few = small.child;
  await using many = large.child;
  await few.ask({ ask: "fill", count: SMALL });
  await many.ask({ ask: "fill", count: LARGE });
  const p50 = (child: typeof few, what: string) => async () =>
    (await child.ask<{ p50Us: number }>({ ask: what, count: 2000 })).p50Us;
  const gets = await alternate({ small: p50(few, "randomGets"), large: p50(many, "randomGets") });
  const lists = await alternate({ small: p50(few, "lists"), large: p50(many, "lists") });
  return [
    measured("get-10k-p50", "us", gets.small, null),
    measured("get-1m-p50", "us", gets.large, null),
    measured("get-scale-ratio", "x", ratios(gets.large, gets.small), ["<", 1.5]),
    measured("list-10k-p50", "us", lists.small, null, "a page of 50 at a random place"),
    measured("list-1m-p50", "us", lists.large, null),
    measured("list-scale-ratio", "x", ratios(lists.large, lists.small), ["<", 1.5]),
  ];
}

export const scaleSuite: Suite = {
  name: "scale",
  method: `Get of random operations and List pages at random places, with ${SMALL} and ${LARGE} operations stored.`,
  run,
};
