// S16: a list shows everything that is there the whole time once, what comes and goes meanwhile at most once, and nothing else.
import { type Call, type Finding, type History, isLabelled, type Listing } from "./history.ts";

/** Everything that is wrong with the lists. */
export function checkListings({ listings, calls, labels }: History): Finding[] {
  const lives = livesOf(calls);
  return listings.flatMap((listing) => [...checkListing(listing, lives, labels)]);
}

/** The time in which an operation is known to be there for every list. */
interface Life {
  fromMs: number;
  untilMs: number;
}

function livesOf(calls: readonly Call[]): ReadonlyMap<string, Life> {
  const lives = new Map<string, Life>();
  const lifeOf = (name: string): Life => {
    const life = lives.get(name) ?? { fromMs: Number.POSITIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY };
    lives.set(name, life);
    return life;
  };
  for (const { what, name, outcome, startMs, endMs } of calls) {
    if (name === "") continue;
    const life = lifeOf(name);
    if (outcome === "ok") life.fromMs = Math.min(life.fromMs, endMs);
    if (what === "delete" && outcome !== "refused") life.untilMs = Math.min(life.untilMs, startMs);
  }
  return lives;
}

function* checkListing(
  { rows, label, startMs, endMs, caller, node, showDeleted }: Listing,
  lives: ReadonlyMap<string, Life>,
  labels: History["labels"],
): Generator<Finding> {
  const where = `a list of ${caller} at ${node}`;
  const shown = new Set<string>();
  for (const { name, labels: own } of rows) {
    if (shown.has(name)) yield { rule: "S16", name, text: `${where} shows it twice` };
    shown.add(name);
    if (!isLabelled(own, label))
      yield { rule: "S16", name, text: `${where} shows it though it does not match` };
  }
  for (const [name, { fromMs, untilMs }] of lives) {
    if (fromMs >= startMs || (untilMs <= endMs && !showDeleted) || shown.has(name)) continue;
    // Of one that no list has ever shown the labels are not known: checkEnd tells of it.
    const own = labels.get(name);
    if (label !== null && (own === undefined || !isLabelled(own, label))) continue;
    yield {
      rule: "S16",
      name,
      text: `${where} leaves it out, acknowledged ${(startMs - fromMs).toFixed(0)} ms before`,
    };
  }
}
