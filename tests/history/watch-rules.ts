// S17: a watch tells every change of what it watches once, in the order of the commits, which is the same for all watches.
import type { Answers } from "./answers.ts";
import { type Finding, type History, isLabelled, type ToldEvent, type Watched } from "./history.ts";

/** Everything that is wrong with what was told. */
export function checkWatches(history: History, answers: Answers): Finding[] {
  const { watches } = history;
  return [
    ...watches.flatMap((watched) => [...checkGaps(watched), ...checkEnds(watched, history, answers)]),
    ...watches.flatMap((one, index) =>
      watches.slice(index + 1).flatMap((other) => [...checkSameOrder(one, other)]),
    ),
  ];
}

function* checkGaps({ events, caller }: Watched): Generator<Finding> {
  const last = new Map<string, number>();
  for (const { name, view } of events) {
    const revision = view.revision ?? 0;
    const before = last.get(name);
    last.set(name, Math.max(revision, before ?? 0));
    if (before === undefined || revision === before + 1) continue;
    const what = revision > before ? "a gap" : "told again, or out of order";
    yield { rule: "S17", name, text: `${what} for ${caller}: revision ${revision} after ${before}` };
  }
}

/** It begins with the operation's own beginning, if that came later, and goes on to the newest change that anybody saw. */
function* checkEnds(watched: Watched, { labels, calls }: History, answers: Answers): Generator<Finding> {
  const { events, caller, fromMs, untilMs, label } = watched;
  const told = new Map<string, { first: number; last: number }>();
  for (const { name, view } of events) {
    const { revision = 0 } = view;
    const span = told.get(name) ?? { first: revision, last: revision };
    told.set(name, { first: Math.min(span.first, revision), last: Math.max(span.last, revision) });
  }
  const startedMs = new Map<string, number>();
  for (const { what, name, startMs } of calls)
    if (what === "start" && name !== "")
      startedMs.set(name, Math.min(startMs, startedMs.get(name) ?? Number.POSITIVE_INFINITY));
  for (const [name, of] of answers) {
    if (!isLabelled(labels.get(name), label)) continue;
    const span = told.get(name);
    const begunMs = startedMs.get(name);
    const isOwnBegin = begunMs !== undefined && begunMs > fromMs;
    if (span && isOwnBegin && span.first !== 1)
      yield { rule: "S17", name, text: `${caller} was told of it from revision ${span.first} on only` };
    if (untilMs === Number.POSITIVE_INFINITY) continue;
    const newest = Math.max(
      0,
      ...of
        .filter(({ endMs, kind }) => kind === "read" && endMs < untilMs)
        .map(({ view }) => view.revision ?? 0),
    );
    const isWatched = span !== undefined || isOwnBegin;
    if (isWatched && newest > (span?.last ?? 0))
      yield {
        rule: "S17",
        name,
        text: `${caller} was told up to revision ${span?.last ?? 0}, which is at ${newest}`,
      };
  }
}

/** Of what both were told, both were told in one order. */
function* checkSameOrder(one: Watched, other: Watched): Generator<Finding> {
  const places = new Map(other.events.map((event, index) => [idOf(event), index]));
  let before: ToldEvent | undefined;
  let last = -1;
  for (const event of one.events) {
    const place = places.get(idOf(event));
    if (place === undefined) continue;
    if (place < last && before) {
      const text = `${one.caller} was told of it after ${idOf(before)}, ${other.caller} before`;
      yield { rule: "S17", name: event.name, text };
      return;
    }
    [last, before] = [place, event];
  }
}

function idOf({ name, view }: ToldEvent): string {
  return `${name}@${view.revision}`;
}
