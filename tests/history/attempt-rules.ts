// What the workers' own traces say against what was answered: S8, S9 (fencing), S10 (one attempt at a time), S11 (so many
// attempts).
import type { Answers } from "./answers.ts";
import type { Attempted, Call, Finding, History } from "./history.ts";
import type { View } from "./view.ts";

/** Traces are of the wall clock's milliseconds, and are written a moment after what they tell. */
const TICK_MS = 5;

/** Everything that is wrong with what really ran. */
export function checkAttempts({ attempts, records, calls }: History, answers: Answers): Finding[] {
  const byName = Map.groupBy(attempts, ({ name }) => name);
  const cancels = Map.groupBy(
    calls.filter(({ verdict }) => verdict !== undefined),
    ({ name }) => name,
  );
  const findings: Finding[] = [];
  for (const [name, answered] of answers) {
    const ran = [...(byName.get(name) ?? [])].sort((a, b) => a.attempt - b.attempt);
    const end = answered.map(({ view }) => view).findLast(({ done, by }) => done && by !== undefined);
    const newest = newestOf(answered.map(({ view }) => view));
    findings.push(...checkBegins(name, ran, newest), ...checkRerun(name, ran, cancels.get(name) ?? []));
    findings.push(...checkOverlaps(name, ran, records));
    if (end) findings.push(...checkResult(name, ran, end));
  }
  for (const [name, [first]] of byName)
    if (!answers.has(name))
      findings.push({ rule: "S11", name, text: `it ran at ${first?.beginMs}, and nobody knows it` });
  return findings;
}

function newestOf(views: readonly View[]): View {
  return views.reduce((newest, view) => ((view.attempt ?? 0) >= (newest.attempt ?? 0) ? view : newest), {
    done: false,
  });
}

/** S11: each attempt begins once, is on record, and is one of those that are allowed. */
function* checkBegins(
  name: string,
  ran: readonly Attempted[],
  { attempt = 0, maxAttempts }: View,
): Generator<Finding> {
  for (const each of ran) {
    if (each.begins !== 1)
      yield { rule: "S11", name, text: `attempt ${each.attempt} began ${each.begins} times` };
    if (each.attempt > attempt)
      yield { rule: "S11", name, text: `attempt ${each.attempt} ran, and is not on record: ${attempt}` };
  }
  if (maxAttempts !== undefined && attempt > maxAttempts)
    yield { rule: "S11", name, text: `${attempt} attempts of ${maxAttempts}` };
}

/** S8: no attempt begins after the one that the answer to a cancel named: a begin is committed before its handler runs. */
function* checkRerun(name: string, ran: readonly Attempted[], cancels: readonly Call[]): Generator<Finding> {
  for (const { verdict, view, node } of cancels) {
    const later = ran.find(({ attempt }) => attempt > (view?.attempt ?? attempt));
    if (later)
      yield {
        rule: "S8",
        name,
        text: `attempt ${later.attempt} ran on ${later.worker} after ${verdict} at ${node}`,
      };
  }
}

/**
 * S10: one after the other. Where the record says that an attempt ran out of its time and was waited for no longer, the next
 * one may run beside it: at least once, as more than one attempt says.
 */
function* checkOverlaps(
  name: string,
  ran: readonly Attempted[],
  records: History["records"],
): Generator<Finding> {
  for (const [index, next] of ran.slice(1).entries()) {
    const before = ran[index];
    if (!before || before.lastMs <= next.beginMs + TICK_MS) continue;
    const record = records.get(name)?.find(({ attempt }) => attempt === before.attempt);
    if (record?.outcome === "TIMED_OUT") continue;
    const lateMs = (before.lastMs - next.beginMs).toFixed(0);
    const text = `attempt ${before.attempt} on ${before.worker} (${record?.outcome}) ran on for ${lateMs} ms beside attempt ${next.attempt} on ${next.worker}`;
    yield { rule: "S10", name, text };
  }
}

/** S9: the result is of the attempt that is on record as the last one, and which has really finished. */
function* checkResult(
  name: string,
  ran: readonly Attempted[],
  { attempt, by, state }: View,
): Generator<Finding> {
  if (state !== "SUCCEEDED" || attempt === undefined) return;
  const last = ran.find((each) => each.attempt === attempt);
  if (last === undefined)
    yield { rule: "S9", name, text: `SUCCEEDED by attempt ${attempt}, which never ran` };
  else if (last.end !== "done")
    yield { rule: "S9", name, text: `SUCCEEDED by attempt ${attempt}, which ended ${last.end}` };
  else if (last.worker !== by)
    yield { rule: "S9", name, text: `attempt ${attempt} ran on ${last.worker}, and its result is of ${by}` };
}
