// What must hold of the calls themselves: S3 (no acknowledged start is lost), S4 (request ids), S5 and S8 (an acknowledged cancel
// stays), S18 (so does a delete), L3 (everything ends).
import type { Answers } from "./answers.ts";
import type { Call, Finding, History } from "./history.ts";

/** Everything that is wrong with what was acknowledged. */
export function checkCalls(history: History, answers: Answers): Finding[] {
  const byName = new Map<string, Call[]>();
  for (const call of history.calls) {
    const known = byName.get(call.name);
    if (known) known.push(call);
    else byName.set(call.name, [call]);
  }
  const findings = [...checkRequestIds(history)];
  for (const [name, calls] of byName) {
    if (name === "") continue;
    findings.push(...checkFound(name, calls), ...checkDeleted(history, name, calls));
    findings.push(...checkCancel(name, calls, answers));
    if (history.isSettled) findings.push(...checkEnd(history, name, calls, answers));
  }
  return findings;
}

/** S4: one request id, one operation. The label `request` tells of starts that were never answered. */
function* checkRequestIds({ calls, labels }: History): Generator<Finding> {
  const names = new Map<string, Set<string>>();
  const ids = new Map<string, Set<string>>();
  const note = (id: string, name: string): void => {
    if (name === "") return;
    names.set(id, (names.get(id) ?? new Set()).add(name));
    ids.set(name, (ids.get(name) ?? new Set()).add(id));
  };
  for (const { requestId, name } of calls) if (requestId !== undefined) note(requestId, name);
  for (const [name, { request }] of labels) if (request !== undefined) note(request, name);
  for (const [id, started] of names)
    if (started.size > 1)
      yield {
        rule: "S4",
        name: [...started].join(),
        text: `one request id, ${id}, has ${started.size} operations`,
      };
  for (const [name, of] of ids)
    if (of.size > 1) yield { rule: "S4", name, text: `it answers several request ids: ${[...of].join()}` };
}

/** S3: once its start was acknowledged, every call finds it until somebody asks for its delete. */
function* checkFound(name: string, calls: readonly Call[]): Generator<Finding> {
  const ackMs = firstMs(calls, ({ what, outcome }) => what === "start" && outcome === "ok", "endMs");
  const deleteMs = firstMs(
    calls,
    ({ what, outcome }) => what === "delete" && outcome !== "refused",
    "startMs",
  );
  for (const { what, refusal, startMs, endMs, caller, node } of calls) {
    if (refusal !== "OPERATION_NOT_FOUND" || startMs <= ackMs || endMs >= deleteMs) continue;
    const text = `an acknowledged start is not found by ${what} of ${caller} at ${node}, ${(startMs - ackMs).toFixed(0)} ms later`;
    yield { rule: "S3", name, text };
  }
}

function firstMs(calls: readonly Call[], is: (call: Call) => boolean, at: "startMs" | "endMs"): number {
  return Math.min(Number.POSITIVE_INFINITY, ...calls.filter(is).map((call) => call[at]));
}

/** S18: after an acknowledged delete no list shows it, and no call says that it is not deleted. */
function* checkDeleted({ listings }: History, name: string, calls: readonly Call[]): Generator<Finding> {
  const goneMs = firstMs(calls, ({ what, outcome }) => what === "delete" && outcome === "ok", "endMs");
  if (goneMs === Number.POSITIVE_INFINITY) return;
  for (const { rows, showDeleted, caller, node } of listings) {
    const row = rows.find((each) => each.name === name && each.startMs > goneMs);
    if (row && !showDeleted)
      yield { rule: "S18", name, text: `a list of ${caller} at ${node} shows it after its delete` };
  }
  const shown = calls.find(({ view, startMs }) => view?.isDeleted === false && startMs > goneMs);
  if (shown)
    yield {
      rule: "S18",
      name,
      text: `${shown.what} of ${shown.caller} at ${shown.node} shows it as not deleted`,
    };
}

const effective = ["STOPPING", "PREVENTED_START", "ALREADY_STOPPING"];

/** S5: what was acknowledged is in every later answer. S8: no attempt begins any more. */
function* checkCancel(name: string, calls: readonly Call[], answers: Answers): Generator<Finding> {
  const acks = calls.filter(({ verdict }) => verdict !== undefined && effective.includes(verdict));
  const [first] = acks.sort((a, b) => a.endMs - b.endMs);
  if (!first) return;
  for (const { view, from, startMs, kind } of answers.get(name) ?? []) {
    const isLater =
      kind === "read"
        ? startMs > first.endMs
        : (view.revision ?? 0) > (first.view?.revision ?? Number.POSITIVE_INFINITY);
    if (!isLater) continue;
    if (view.cause === "")
      yield { rule: "S5", name, text: `its acknowledged cancel is not shown by ${from}` };
    const isRerun = view.attempt !== undefined && view.attempt > (first.view?.attempt ?? view.attempt);
    if (isRerun || view.state === "RUNNING" || view.state === "PENDING")
      yield { rule: "S8", name, text: `${view.state}, attempt ${view.attempt}, by ${from} after its cancel` };
  }
  const prevented = acks.find(({ verdict }) => verdict === "PREVENTED_START");
  const ended = answers.get(name)?.find(({ view }) => view.done && view.state !== "CANCELLED");
  if (prevented && ended)
    yield { rule: "S5", name, text: `${ended.view.state} (${ended.from}) after PREVENTED_START` };
}

/** S3 and L3: in the end everything that was acknowledged is there, and done. */
function* checkEnd(
  { labels }: History,
  name: string,
  calls: readonly Call[],
  answers: Answers,
): Generator<Finding> {
  const isStarted = calls.some(({ what, outcome }) => what === "start" && outcome === "ok");
  if (isStarted && !labels.has(name)) yield { rule: "S3", name, text: "an acknowledged start is in no list" };
  const of = answers.get(name) ?? [];
  if (of.length > 0 && !of.some(({ view }) => view.done)) yield { rule: "L3", name, text: "it never ended" };
}
