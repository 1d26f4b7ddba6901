// Every view of a history, by operation: what calls were answered, lists showed and watches told, each with its time.
import type { History, Span } from "./history.ts";
import type { View } from "./view.ts";

/** `read`: the server looked the operation up during the span. `told`: an event, which tells of the past. */
export interface Answer extends Span {
  kind: "read" | "told";
  from: string;
  view: View;
}

export type Answers = ReadonlyMap<string, readonly Answer[]>;

/** All answers, by operation. */
export function answersOf({ calls, listings, watches }: History): Answers {
  const answers = new Map<string, Answer[]>();
  const add = (name: string, answer: Answer): void => {
    const known = answers.get(name);
    if (known) known.push(answer);
    else answers.set(name, [answer]);
  };
  for (const { name, what, caller, node, view, startMs, endMs } of calls)
    if (view && name !== "")
      add(name, { kind: "read", from: `${what} by ${caller} at ${node}`, view, startMs, endMs });
  for (const { rows, caller, node } of listings)
    for (const { name, view, startMs, endMs } of rows)
      add(name, { kind: "read", from: `list by ${caller} at ${node}`, view, startMs, endMs });
  for (const { events, caller, fromMs } of watches)
    for (const { name, view, atMs } of events)
      add(name, { kind: "told", from: `watch of ${caller}`, view, startMs: fromMs, endMs: atMs });
  return answers;
}
