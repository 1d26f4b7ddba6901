// Get and List with 10,000 and with 1,000,000 stored operations, as a client sees them. The server's cache of recent
// operations is switched off, so that every Get is answered by the store.
import type { Belay } from "../belay-server.ts";
import { startChild } from "../child.ts";
import type { PageDrive } from "../drivers/page-driver.ts";
import { alternate, type Measurement, measured, ratios, type Suite } from "../measurement.ts";

const SMALL = 10_000;
const LARGE = 1_000_000;
const GETS = 2000;
/** Fewer than the small store has, so that both walk the same number of full pages. */
const PAGES = 150;

async function run(): Promise<readonly Measurement[]> {
  const script = new URL("../belay-server.ts", import.meta.url);
  const small = await startChild<Belay>(script, ["--no-cache"]);
  const large = await startChild<Belay>(script, ["--no-cache"]);
  const driver = await startChild(new URL("../drivers/page-driver.ts", import.meta.url));
  await using few = small.child;
  await using many = large.child;
  await using client = driver.child;
  await few.ask({ ask: "fill", count: SMALL });
  await many.ask({ ask: "fill", count: LARGE });
  const drive = async (question: PageDrive): Promise<number> =>
    (await client.ask<{ p50Us: number }>(question)).p50Us;
  const get = (belay: typeof small) => async () => {
    const { names } = await belay.child.ask<{ names: string[] }>({ ask: "randomNames", count: GETS });
    return await drive({ address: belay.ready.address, names, pages: 0 });
  };
  const list = (belay: typeof small) => () =>
    drive({ address: belay.ready.address, names: [], pages: PAGES });
  const gets = await alternate({ small: get(small), large: get(large) });
  const lists = await alternate({ small: list(small), large: list(large) });
  return [
    measured("get-10k-p50", "us", gets.small, null, "over gRPC, one at a time, random names"),
    measured("get-1m-p50", "us", gets.large, null),
    measured("get-scale-ratio", "x", ratios(gets.large, gets.small), ["<", 1.5]),
    measured("list-10k-p50", "us", lists.small, null, `over gRPC, ${PAGES} pages of 50, newest first`),
    measured("list-1m-p50", "us", lists.large, null),
    measured("list-scale-ratio", "x", ratios(lists.large, lists.small), ["<", 1.5]),
  ];
}

export const scaleSuite: Suite = {
  name: "scale",
  method: `Get of random operations and List pages over gRPC, with ${SMALL} and ${LARGE} operations stored.`,
  run,
};
