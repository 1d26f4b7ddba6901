// One operation and two workers, over the real `transition`: every command that can come in any state, refused ones too.
// Worker w1 is guarded, w2 is not. Time is discrete; the key keeps of every instant only what can still matter.

import type { CancelStep, OperationCommand } from "../../src/engine/commands.ts";
import { type History, noHistory, remember, stepOf, violations } from "../../src/engine/invariants.ts";
import { isDone, type OperationRecord } from "../../src/engine/operation.ts";
import { transition } from "../../src/engine/transition.ts";
import {
  cancelCommand,
  completeCommand,
  EPOCH,
  failCommand,
  type Holder,
  type PolicyChoice,
  simple,
  startCommand,
  stoppedCommand,
  UNIT,
} from "../../src/testing/sample-operation.ts";
import type { Edge, Model } from "./search.ts";

export interface OperationState {
  record: OperationRecord | null;
  now: number;
  history: History;
}

/** One way to start the operation that is searched. */
export interface StartChoice extends PolicyChoice {
  /** In units after the start. */
  deadlineUnits?: number;
}

interface Action {
  label: string;
  command: OperationCommand;
  isFair: boolean;
  /** The clock shows this much less while the command runs. */
  clockBack?: number;
}

/** The operation's state machine with every start of `choices`. */
export function operationModel(choices: readonly StartChoice[]): Model<OperationState> {
  const starts = choices.map((choice): Action => {
    const { deadlineUnits, ...policy } = choice;
    const deadline = deadlineUnits === undefined ? null : EPOCH + deadlineUnits * UNIT;
    return action(`start ${JSON.stringify(choice)}`, startCommand({ ...policy, deadline }));
  });
  return {
    initial: { record: null, now: EPOCH, history: noHistory },
    key: stateKey,
    describe: describeState,
    *edges(state): Iterable<Edge<OperationState>> {
      if (state.record === null) for (const start of starts) yield run(state, start);
      else yield run(state, action("start the same name", startCommand()));
      for (const one of clientActions) yield run(state, one);
      for (const one of workerActions(state.record)) yield run(state, one);
      if (state.record && !isDone(state.record.state)) yield pass(state);
    },
  };
}

function action(label: string, command: OperationCommand, isFair = false): Action {
  return { label, command, isFair };
}

function run(state: OperationState, { label, command, isFair, clockBack = 0 }: Action): Edge<OperationState> {
  const now = state.now - clockBack;
  const result = transition(state.record, command, now);
  const step = stepOf(state.record, command, now, result, state.history);
  const next = { record: step.after, now: state.now, history: remember(step) };
  return { label, next, violations: violations(step), isFair };
}

function pass(state: OperationState): Edge<OperationState> {
  return { label: "1 ms passes", next: { ...state, now: state.now + UNIT }, violations: [], isFair: true };
}

const clientActions: readonly Action[] = [
  action("cancel", cancelCommand()),
  action("cancel, no grace", cancelCommand({ graceMs: 0 })),
  action("cancel, longer grace", cancelCommand({ graceMs: 5 })),
  action("force", cancelCommand({ force: true })),
  action("cancel an older revision", cancelCommand({ ifRevision: 0 })),
  action("override", simple.override()),
  action("cancel a deleted one too", cancelCommand({ includeDeleted: true })),
  { ...action("cancel, the clock stepped back", cancelCommand()), clockBack: UNIT },
  action("delete", simple.remove()),
  action("somebody watches", simple.watched()),
  { ...action("somebody watches, the clock stepped back", simple.watched()), clockBack: UNIT },
  action("tick", simple.tick(), true),
  action("assign w1", simple.assign("w1", { guarded: true, begin: false }), true),
  action("assign w2", simple.assign("w2", { guarded: false, begin: false })),
  action("assign w1, begin", simple.assign("w1", { guarded: true, begin: true }), true),
  action("assign w2, begin", simple.assign("w2", { guarded: false, begin: true })),
  action("w1 is lost", simple.expire("w1")),
  action("w2 is lost", simple.expire("w2")),
  action("w1 is lost, its work seen alive", simple.expire("w1", true)),
];

/** Reports with the last token, with the one before it (a zombie), and from the other session. */
function workerActions(record: OperationRecord | null): Action[] {
  const token = record?.leaseToken ?? 0;
  const holders: Holder[] = [];
  for (const session of ["w1", "w2"]) holders.push({ session, token }, { session, token: token - 1 });
  return holders.flatMap((holder) => {
    const isHolder = record?.lease?.session === holder.session && record.lease.token === holder.token;
    const name = `${holder.session}#${holder.token === token ? "t" : "t-1"}`;
    return reports(holder).map(([label, command, isFair]) =>
      action(`${label} ${name}`, command, isHolder && isFair),
    );
  });
}

/** The handler was told 1 ms ago, and the server hears of it with what came after. */
const told: readonly CancelStep[] = [
  { phase: "DELIVERED", detail: "", agoMs: 2 },
  { phase: "ACKNOWLEDGED", detail: "", agoMs: 1 },
];

function reports(holder: Holder): [label: string, command: OperationCommand, isFair: boolean][] {
  return [
    ["begin", simple.begin(holder), true],
    ["return", simple.giveBack(holder), false],
    ["release", simple.release(holder), false],
    ["progress", simple.progress(holder), false],
    ["checkpoint", simple.checkpoint(holder), false],
    ["delivered", simple.phase(holder, "DELIVERED"), false],
    ["deferred", simple.phase(holder, "DEFERRED"), false],
    ["cut", simple.phase(holder, "CUT"), false],
    ["acknowledged", simple.phase(holder, "ACKNOWLEDGED"), false],
    ["escalated", simple.phase(holder, "ESCALATED"), false],
    ["delivered, then escalated", { ...simple.phase(holder, "ESCALATED"), steps: told.slice(0, 1) }, false],
    ["complete, told before", { ...completeCommand(holder), steps: told }, false],
    ["fail by the abort, told before", { ...failCommand(holder, { abortCaused: true }), steps: told }, false],
    ["stopped, told before", { ...stoppedCommand(holder), steps: told }, false],
    ["complete", completeCommand(holder), true],
    ["complete, another result", completeCommand(holder, "other"), false],
    ["fail", failCommand(holder), false],
    ["fail, retryable", failCommand(holder, { retryable: true }), false],
    ["fail by the abort", failCommand(holder, { code: 1, abortCaused: true }), false],
    ["fail with code 1", failCommand(holder, { code: 1 }), false],
    ["stopped", stoppedCommand(holder), false],
    ["stopped, process gone", stoppedCommand(holder, "PROCESS_EXITED"), false],
  ];
}

/** How far an instant lies ahead, in units; 0 when it has passed. */
function ahead(instant: number | null, now: number): number | "" {
  return instant === null ? "" : Math.max(0, Math.ceil((instant - now) / UNIT));
}

/** How long ago an instant was, in units; at most `most`, after which it is all the same. */
function ago(instant: number | null, now: number, most: number): number | "" {
  return instant === null ? "" : Math.min(most, Math.floor((now - instant) / UNIT));
}

function stateKey({ record, now, history }: OperationState): string {
  if (record === null) return "none";
  const { lease, held, cancel, policy } = record;
  const holder = lease ?? held;
  const parts: (string | number | boolean)[] = [
    policy.maxAttempts,
    policy.onDelete,
    policy.cancel.cancellable,
    record.state,
    record.attempt,
    record.deleteTime !== null,
    holder ? `${holder.session} ${lease !== null} ${holder.begun} ${record.leaseToken - holder.token}` : "",
    history.begun - record.attempt,
    history.lastToken - record.leaseToken,
    history.cancelAcknowledged,
    history.open !== null,
  ];
  if (isDone(record.state)) parts.push(doneKey(record, history));
  else parts.push(ahead(record.deadline, now), record.cancel ? "" : ahead(record.watchDeadline, now));
  if (record.state === "PENDING") parts.push(ahead(record.startAfter, now));
  if (record.state === "RUNNING") {
    parts.push(ago(record.attemptStartTime, now, policy.attemptTimeoutMs));
    parts.push(ago(record.activityTime, now, policy.stallTimeoutMs));
  }
  if (record.state === "RUNNING" || record.state === "CANCELLING") parts.push(record.progress?.percent ?? "");
  if (cancel) {
    parts.push(cancel.cause, cancel.evidence ?? "", cancel.mechanism ?? "", cancel.force);
    if (record.state === "CANCELLING") parts.push(cancel.deferredBy ?? "");
    parts.push(cancel.deliverTime !== null, cancel.acknowledgeTime !== null, cancel.escalateTime !== null);
    if (record.state === "CANCELLING")
      parts.push(ahead(cancel.graceEndTime, now), ahead(cancel.deadline, now));
  }
  return parts.join("|");
}

function doneKey({ outcome, leaseToken }: OperationRecord, { ending }: History): string {
  const code = outcome?.kind === "error" ? outcome.status.code : "";
  const report =
    ending && "token" in ending ? `${ending.type} ${ending.session} ${leaseToken - ending.token}` : "";
  const said = ending && "evidence" in ending ? ending.evidence : "";
  const digest = ending && "digest" in ending ? ending.digest : "";
  return [outcome?.kind ?? "", code, outcome?.digest ?? "", report, said, digest].join("|");
}

function describeState({ record, now }: OperationState): string {
  const time = `at ${(now - EPOCH) / UNIT} ms`;
  if (record === null) return `no operation ${time}`;
  const { lease, held, outcome, cancel } = record;
  const holder = lease
    ? `${lease.session}#${lease.token}${lease.begun ? "" : " reserved"}`
    : held
      ? `held ${held.session}`
      : "";
  const result = outcome?.kind === "error" ? `error ${outcome.status.code}` : (outcome?.kind ?? "");
  const parts = [
    record.state,
    `rev=${record.revision}`,
    `attempt=${record.attempt}/${record.policy.maxAttempts}`,
  ];
  parts.push(
    holder,
    result,
    cancel ? `cancel=${cancel.evidence ?? "open"}` : "",
    record.deleteTime === null ? "" : "deleted",
  );
  return `${parts.filter((part) => part !== "").join(" ")} ${time}`;
}
