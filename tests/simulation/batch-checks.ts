// The checks of the batch search: every operation that a commit touched is a step for the invariants; what must hold of
// all rows together; and when two runs of commands came to the same.
import type { Command, CommandOutcome, OperationCommand } from "../../src/engine/commands.ts";
import { type Decision, keyText } from "../../src/engine/decision.ts";
import {
  commitViolations,
  type History,
  noHistory,
  type Rows,
  remember,
  type Step,
  sweepCommitViolations,
  violations,
} from "../../src/engine/invariants.ts";
import type { OperationKey, OperationRecord } from "../../src/engine/operation.ts";
import { sampleKey, simple } from "../../src/testing/sample-operation.ts";
import type { Ledger } from "./ledger.ts";

export interface BatchState {
  ledger: Ledger;
  now: number;
  histories: ReadonlyMap<string, History>;
}

/** What one batch came to. */
interface Commit {
  decision: Decision;
  next: Ledger;
}

/** Ends the name that a repeated start proposes: no operation may ever have it beside the first. */
export const AGAIN = "-again";

const findTargets = new Set<Command["type"]>([
  "acquire",
  "closeSession",
  "expireSessions",
  "sweepChildren",
  "restartWatch",
  "tickDue",
]);

/** The store looks up the targets of these before the batch. */
export function hasTargets(command: Command): boolean {
  return findTargets.has(command.type);
}

/** True if the second run answered and wrote what the first did. */
export function sameCommits(one: Commit, others: readonly Commit[]): string[] {
  const found: string[] = [];
  const answers = others.flatMap(({ decision }) => decision.outcomes);
  const last = others.at(-1)?.next;
  if (outcomesText(one.decision.outcomes) !== outcomesText(answers))
    found.push("one batch answered other than two");
  if (last && !holdTheSame(one.next, last)) found.push("one batch wrote other than two");
  const events = others.reduce((count, { decision }) => count + decision.events.length, 0);
  if (one.decision.events.length !== events)
    found.push(`${one.decision.events.length} events in one batch, ${events} in two`);
  return found;
}

/** The outcomes without their records, which are compared where they are kept. */
function outcomesText(outcomes: readonly CommandOutcome[]): string {
  const brief = outcomes.map((outcome) => {
    if (outcome.type === "granted") return ["granted", outcome.grants.length];
    if (!("record" in outcome)) return [outcome.type];
    const said = outcome.type === "refused" ? outcome.reason : outcome.changed;
    const verdict = outcome.type === "cancel" ? outcome.verdict : "";
    return [outcome.type, said, verdict, outcome.record?.revision];
  });
  return JSON.stringify(brief);
}

function holdTheSame(a: Ledger, b: Ledger): boolean {
  return (
    haveTheSame(a.operations, b.operations) &&
    haveTheSame(a.requestKeys, b.requestKeys) &&
    haveTheSame(a.sessions, b.sessions) &&
    haveTheSame(a.slots, b.slots)
  );
}

function haveTheSame<Row>(a: ReadonlyMap<string, Row>, b: ReadonlyMap<string, Row>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, row] of a) {
    const other = b.get(key);
    if (row !== other && JSON.stringify(row) !== JSON.stringify(other)) return false;
  }
  return true;
}

function rowsOf({ operations, slots }: Ledger): Rows {
  return { operations: [...operations.values()], slots };
}

/** What must hold of all rows together after a batch. */
export function ledgerViolations(before: Ledger, after: Ledger): string[] {
  if (after === before) return [];
  const { operations, requestKeys, sessions } = after;
  const found = commitViolations(rowsOf(before), rowsOf(after));
  for (const { name, lease, held, attemptStartTime, state } of operations.values()) {
    if (held?.guarded && !sessions.has(held.session))
      found.push(`L3: ${name} holds a guarded attempt of ${held.session}, whose session is closed`);
    // Only the cancel of work that was held from an unguarded session may wait for it, until its deadline.
    const isAwaited = state === "CANCELLING" && attemptStartTime === null && !lease?.guarded;
    if (lease && !sessions.has(lease.session) && !isAwaited)
      found.push(`L3: ${name} is held by ${lease.session}, whose session is closed`);
  }
  for (const { name, requestId } of requestKeys.values()) {
    if (!operations.has(keyText({ ...sampleKey(), name }))) found.push(`S4: ${requestId} points at nothing`);
  }
  for (const { name } of operations.values()) {
    const isTwice = operations.has(keyText({ ...sampleKey(), name: name + AGAIN }));
    if (isTwice) found.push(`S4: one request id made two operations (${name})`);
  }
  return found;
}

/** Checks every operation that a command touched, as a step of its own. */
export function checkCommit(
  state: BatchState,
  command: Command,
  decision: Decision,
  next: Ledger,
): { found: string[]; histories: ReadonlyMap<string, History> } {
  const found = ledgerViolations(state.ledger, next);
  const [first] = decision.outcomes;
  if (command.type === "sweepChildren" && first?.type === "settled")
    found.push(...sweepCommitViolations(rowsOf(state.ledger), rowsOf(next), first.count));
  const histories = new Map(state.histories);
  const keys = new Set([...next.operations.keys(), ...("key" in command ? [keyText(command.key)] : [])]);
  for (const text of keys) {
    const step = stepOn(text, state, command, decision, next);
    if (step === null) continue;
    found.push(...stepViolations(step));
    histories.set(text, remember(step));
  }
  if (decision.outcomes.length !== 1) found.push(`${decision.outcomes.length} outcomes for one command`);
  if (
    decision.outcomes[0]?.type === "refused" &&
    next.operations.size + decision.events.length > state.ledger.operations.size
  ) {
    found.push("a refused command wrote");
  }
  return { found, histories };
}

/**
 * One command may change an operation twice: as its target, and as the parent of another. Then each of its revisions has
 * its event; whatever holds of single steps only is not asked.
 */
function stepViolations(step: Step): string[] {
  const { before, after, writes } = step;
  if (writes.events < 2) return violations(step);
  const revisions = (after?.revision ?? 0) - (before?.revision ?? 0);
  const found = violations(step).filter((violation) => !violation.startsWith("S13: "));
  if (revisions !== writes.events) found.push(`S13: ${writes.events} events for ${revisions} revisions`);
  return found;
}

function stepOn(
  text: string,
  state: BatchState,
  command: Command,
  decision: Decision,
  next: Ledger,
): Step | null {
  const before = state.ledger.operations.get(text) ?? null;
  const after = next.operations.get(text) ?? null;
  // A repeated start that gives what is there a parent, or a caller, makes nothing.
  const isShared = command.type === "start" && before !== null && before !== after;
  const isNamed = "key" in command && keyText(command.key) === text && !isShared;
  if (!isNamed && before === after) return null;
  const single = isNamed ? command : sideStep(command, before, after);
  if (single === null) return null;
  const outcome = decision.outcomes[0] as CommandOutcome;
  const isOf = (write: OperationKey): boolean => keyText(write) === text;
  return {
    before,
    command: single as OperationCommand,
    now: state.now,
    outcome: isNamed || after === null ? outcome : { type: "operation", record: after, changed: true },
    after,
    writes: {
      events: decision.events.filter(isOf).length,
      response: decision.payloads.some((write) => isOf(write) && write.kind === "response"),
      checkpoint: decision.payloads.some((write) => isOf(write) && write.kind === "checkpoint"),
    },
    history: state.histories.get(text) ?? noHistory,
  };
}

/** What a command is for an operation that it does not name: for one of its targets, or for the parent of one. */
function sideStep(
  command: Command,
  before: OperationRecord | null,
  after: OperationRecord | null,
): OperationCommand | null {
  if (before === null || after === null) return null;
  const { service, tenant, name } = before;
  const key = { service, tenant, name };
  if (before.cancel === null && after.cancel !== null && after.cancel.origin === after.cancel.cause) {
    const { cause, force } = after.cancel;
    const isRule = cause === "parent" || cause === "superseded";
    if (isRule) return { ...ruleCancel, key, cause, force };
  }
  if (
    command.type === "sweepChildren" &&
    before.cancel !== null &&
    after.cancel?.force &&
    !before.cancel.force
  )
    return { ...ruleCancel, key, cause: "parent", force: true };
  const holder = before.lease ?? before.held;
  const isSettled = before.lease !== after.lease || before.held !== after.held;
  switch (command.type) {
    case "acquire": {
      const { session, guarded, begin } = command;
      return { type: "assign", key, session, guarded, begin };
    }
    case "closeSession":
    case "expireSessions":
      if (holder !== null && isSettled)
        return { type: "expireLease", key, session: holder.session, survived: false };
      break;
    case "tickDue":
      return { type: "tick", key };
    case "restartWatch":
      return simple.watched();
  }
  const child = { service, name: "operations/child" };
  const said = { outcome: "SUCCEEDED", unconfirmed: false, wasUnconfirmed: false } as const;
  return { type: "childEnded", key, child, ...said };
}

const ruleCancel = {
  type: "cancel",
  requestedBy: "",
  onBehalfOf: "",
  requestId: "",
  ifRevision: null,
  reason: "",
  origin: "",
  graceMs: null,
  includeDeleted: true,
} as const;
