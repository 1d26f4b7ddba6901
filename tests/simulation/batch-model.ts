// Two operations, two workers' sessions, and batches, over the real `decide`. Each batch is checked command by command
// against the invariants, and each pair of commands in one batch against the same two in batches of their own.
import type { Command } from "../../src/engine/commands.ts";
import { keyText } from "../../src/engine/decision.ts";
import { noHistory } from "../../src/engine/invariants.ts";
import { isDone, type OperationKey, type OperationRecord } from "../../src/engine/operation.ts";
import {
  cancelCommand,
  completeCommand,
  EPOCH,
  failCommand,
  type Holder,
  type PolicyChoice,
  sampleKey,
  simple,
  startCommand,
  stoppedCommand,
  UNIT,
} from "../../src/testing/sample-operation.ts";
import {
  AGAIN,
  type BatchState,
  checkCommit,
  hasTargets,
  ledgerViolations,
  sameCommits,
} from "./batch-checks.ts";
import { Ledger } from "./ledger.ts";
import type { Edge, Model } from "./search.ts";

export interface BatchModelOptions {
  /** The operations' names with their policies. */
  operations: Readonly<Record<string, PolicyChoice>>;
  /** Also every pair of these commands, in one batch. */
  withPairs: boolean;
}

interface Action {
  label: string;
  command: Command;
  isFair: boolean;
}

function action(label: string, command: Command, isFair = false): Action {
  return { label, command, isFair };
}

/** A start under another name is a repetition once its request id is known; before that it would be a third operation. */
function isExplored({ ledger }: BatchState, { command }: Action): boolean {
  return (
    command.type !== "start" || !command.key.name.endsWith(AGAIN) || hasRequestKey(ledger, command.key.name)
  );
}

function hasRequestKey({ requestKeys }: Ledger, name: string): boolean {
  return [...requestKeys.values()].some((known) => name.startsWith(known.name));
}

export function batchModel(options: BatchModelOptions): Model<BatchState> {
  const names = Object.keys(options.operations);
  return {
    initial: { ledger: new Ledger(), now: EPOCH, histories: new Map() },
    key: (state) =>
      [...names.map((name) => operationKey(state, sampleKey(name))), ...sessionKeys(state)].join(" ; "),
    describe: (state) => names.map((name) => describe(state.ledger.find(sampleKey(name)))).join("; "),
    *edges(state): Iterable<Edge<BatchState>> {
      const singles = [
        ...sessionActions(state),
        ...names.flatMap((name) => clientActions(name, options.operations[name] ?? {})),
        ...names.flatMap((name) => workerActions(name, state.ledger.find(sampleKey(name)))),
      ];
      for (const single of singles) if (isExplored(state, single)) yield runSingle(state, single);
      if (options.withPairs) {
        const firsts = singles.filter(({ command }) => pairable.has(command.type));
        for (const a of firsts) yield* runPairs(state, a, firsts);
      }
      yield { label: "1 ms passes", next: { ...state, now: state.now + UNIT }, violations: [], isFair: true };
    },
  };
}

/** The commands that are worth a batch with another: those whose order matters, or whose targets the batch can change. */
const pairable = new Set<Command["type"]>([
  "start",
  "cancel",
  "delete",
  "complete",
  "acquire",
  "closeSession",
  "openSession",
  "tickDue",
]);

const SESSIONS = { w1: true, w2: false } as const;

function sessionActions({ ledger }: BatchState): Action[] {
  const actions = [action("tickDue", { type: "tickDue", limit: 10 }, true)];
  for (const [session, guarded] of Object.entries(SESSIONS)) {
    const isFair = session === "w1";
    const acquire = { type: "acquire", session, types: ["test.work"], guarded, begin: true } as const;
    actions.push(
      action(`${session} acquires 1`, { ...acquire, limit: 1 }, isFair),
      action(`${session} reserves 2`, { ...acquire, limit: 2, begin: false }),
      action(`${session} closes`, { type: "closeSession", session, survivors: [] }),
      action(`${session} beats`, { type: "heartbeat", session }),
    );
    if (ledger.sessions.has(session)) continue;
    const open = {
      session,
      kind: "remote",
      worker: session,
      types: ["test.work"],
      slots: 2,
      guarded,
    } as const;
    actions.push(
      action(`${session} opens`, { type: "openSession", ...open, bootId: "boot", leaseMs: 10 }, isFair),
    );
  }
  return actions;
}

function clientActions(name: string, policy: PolicyChoice): Action[] {
  const requestKey = { method: "Start", requestId: `request-${name}`, digest: "body" };
  const start = startCommand({ name, ...policy });
  return [
    action(`start ${name}`, { ...start, requestKey }),
    action(`start ${name} again`, { ...start, key: sampleKey(name + AGAIN), requestKey }),
    action(`start ${name}, another body`, { ...start, requestKey: { ...requestKey, digest: "other" } }),
    action(`cancel ${name}`, cancelCommand({ name })),
    action(`delete ${name}`, simple.remove(name)),
  ];
}

function workerActions(name: string, record: OperationRecord | null): Action[] {
  const holder = record?.lease ?? record?.held;
  if (!record || record.leaseToken === 0) return [];
  const session = holder?.session ?? "w1";
  const current: Holder = { session, token: record.leaseToken };
  const zombie: Holder = { session, token: record.leaseToken - 1 };
  return [
    action(`begin ${name}`, simple.begin(current, name), true),
    action(`return ${name}`, simple.giveBack(current, name)),
    action(`release ${name}`, simple.release(current, name)),
    action(`complete ${name}`, completeCommand(current, "done", name), true),
    action(`fail ${name}, retryable`, failCommand(current, { retryable: true, name })),
    action(`stopped ${name}`, stoppedCommand(current, "HANDLER_STOPPED", name)),
    action(`complete ${name} by a zombie`, completeCommand(zombie, "done", name)),
  ];
}

function runSingle(state: BatchState, { label, command, isFair }: Action): Edge<BatchState> {
  const { decision, next } = state.ledger.commit([command], state.now);
  const checked = checkCommit(state, command, decision, next);
  return {
    label,
    isFair,
    next: { ledger: next, now: state.now, histories: checked.histories },
    violations: checked.found,
  };
}

/**
 * Two commands in one batch must do what they do in two, one after the other. Targets are looked up before the batch,
 * so a batch may settle or grant less than two would, but never leave anything in the hands of a closed session.
 */
function* runPairs(state: BatchState, a: Action, others: readonly Action[]): Iterable<Edge<BatchState>> {
  const { ledger, now } = state;
  const first = ledger.commit([a.command], now);
  for (const b of others) {
    const pair = ledger.commit([a.command, b.command], now);
    const found = ledgerViolations(pair.next);
    if (!hasTargets(a.command) && !hasTargets(b.command)) {
      found.push(...sameCommits(pair, [first, first.next.commit([b.command], now)]));
    }
    // The pair's end is not explored further: each of the two alone leads on from here.
    const next = found.length === 0 ? state : { ...state, ledger: pair.next };
    yield { label: `[${a.label}, ${b.label}]`, isFair: false, next, violations: found };
  }
}

function ahead(instant: number, now: number): number {
  return Math.max(0, Math.ceil((instant - now) / UNIT));
}

function operationKey({ ledger, now, histories }: BatchState, key: OperationKey): string {
  const record = ledger.find(key);
  if (record === null) return "none";
  const { lease, held, cancel, outcome, policy } = record;
  const holder = lease ?? held;
  const history = histories.get(keyText(key)) ?? noHistory;
  const parts = [
    record.state,
    record.attempt,
    record.leaseToken === 0,
    record.deleteTime !== null,
    holder ? `${holder.session} ${lease !== null} ${holder.begun}` : "",
    history.lastToken - record.leaseToken,
    history.ending?.type ?? "",
    history.open !== null,
    outcome ? `${outcome.kind} ${outcome.kind === "error" ? outcome.status.code : ""} ${outcome.digest}` : "",
    cancel ? `${cancel.cause} ${cancel.evidence}` : "",
  ];
  if (record.state === "PENDING") parts.push(ahead(record.startAfter, now));
  if (record.state === "RUNNING")
    parts.push(ahead((record.attemptStartTime ?? 0) + policy.attemptTimeoutMs * UNIT, now));
  if (record.state === "CANCELLING" && cancel)
    parts.push(ahead(cancel.deadline, now), record.attemptStartTime === null);
  return parts.join(" ");
}

function sessionKeys({ ledger }: BatchState): string[] {
  return Object.keys(SESSIONS).map((session) => String(ledger.sessions.has(session)));
}

function describe(record: OperationRecord | null): string {
  if (record === null) return "none";
  const { state, revision, lease, held, cancel, deleteTime } = record;
  const holder = lease
    ? ` ${lease.session}#${lease.token}${lease.begun ? "" : " reserved"}`
    : held
      ? " held"
      : "";
  return `${state} rev=${revision}${holder}${cancel ? ` cancel=${cancel.evidence}` : ""}${deleteTime === null ? "" : " deleted"}`;
}

/** True when nothing is left to do. */
export function isSettled({ ledger }: BatchState): boolean {
  return [...ledger.operations.values()].every((record) => isDone(record.state));
}
