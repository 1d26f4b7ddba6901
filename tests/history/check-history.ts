// The whole check of a history: every rule, and an order of the calls of each operation.
import { checkAnswers } from "./answer-rules.ts";
import { answersOf } from "./answers.ts";
import { checkAttempts } from "./attempt-rules.ts";
import { checkCalls } from "./call-rules.ts";
import { type Call, type Finding, type History, isLabelled, NEVER } from "./history.ts";
import { linearize } from "./linearize.ts";
import { checkListings } from "./list-rules.ts";
import { checkWatches } from "./watch-rules.ts";

/** Every promise that was broken, with the rule that it breaks; none of an honest history. */
export function checkHistory(history: History): Finding[] {
  const answers = answersOf(history);
  return [
    ...checkCalls(history, answers),
    ...checkAnswers(answers),
    ...checkListings(history),
    ...checkWatches(history, answers),
    ...checkAttempts(history, answers),
    ...checkOrders(history),
  ];
}

/** S15: for each operation its calls, the rows of lists, and what others may do to it at any time. */
function checkOrders(history: History): Finding[] {
  const byName = new Map<string, Call[]>();
  const add = (call: Call): void => {
    // What says nothing of an operation, and has done nothing to it, is left out.
    if (call.name === "" || (call.what === "get" && call.outcome === "unknown")) return;
    const known = byName.get(call.name);
    if (known) known.push(call);
    else byName.set(call.name, [call]);
  };
  for (const call of history.calls) add(call);
  for (const { rows, caller, node } of history.listings)
    for (const { name, view, startMs, endMs } of rows)
      add({ what: "get", name, caller, node, outcome: "ok", view, startMs, endMs });
  const findings: Finding[] = [];
  for (const [name, calls] of byName) {
    const { kind, text } = linearize([...calls, ...sweepsOf(history, name, calls)]);
    if (kind !== "linearizable") findings.push({ rule: "S15", name, text: `${kind}: ${text}` });
  }
  return findings;
}

/** Cancels by somebody else, one for each sweep that may have met it; and the start of one that this history did not make. */
function sweepsOf({ sweeps, labels }: History, name: string, calls: readonly Call[]): Call[] {
  const added = sweeps
    .filter(({ label }) => isLabelled(labels.get(name), label))
    .map(({ startMs }) => openCall("cancel", name, "a sweep", startMs));
  const isStarted = calls.some(({ what }) => what === "start");
  if (!isStarted) added.push(openCall("start", name, "somebody else", Number.NEGATIVE_INFINITY));
  return added;
}

function openCall(what: Call["what"], name: string, caller: string, startMs: number): Call {
  return { what, name, caller, node: "", outcome: "unknown", startMs, endMs: NEVER };
}
