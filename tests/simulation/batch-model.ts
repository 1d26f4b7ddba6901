// A few operations, two workers' sessions, and batches, over the real `decide`. Each batch is checked command by command
// against the invariants, and each pair of commands in one batch against the same two in batches of their own.
import type { Command } from "../../src/engine/commands.ts";
import { keyText } from "../../src/engine/decision.ts";
import { noHistory } from "../../src/engine/invariants.ts";
import { isDone, type OperationKey, type OperationRecord } from "../../src/engine/operation.ts";
import { EPOCH, sampleKey, UNIT } from "../../src/testing/sample-operation.ts";
import {
  type Action,
  type BatchOperation,
  clientActions,
  type Part,
  sessionActions,
  sessionsOf,
  type World,
  workerActions,
} from "./batch-actions.ts";
import { type BatchState, checkCommit, hasTargets, ledgerViolations, sameCommits } from "./batch-checks.ts";
import { Ledger } from "./ledger.ts";
import type { Edge, Model } from "./search.ts";

export interface BatchModelOptions {
  /** The operations' names with their policies. */
  operations: Readonly<Record<string, BatchOperation>>;
  /** Also every pair of these commands, in one batch. */
  withPairs: boolean;
  /** What can happen beside starts, cancels, grants, ends and time; default: everything that one operation can meet. */
  parts?: readonly Part[];
  leaseMs?: number;
}

const usual: readonly Part[] = [
  "second session",
  "reserve",
  "sessions",
  "repeats",
  "delete",
  "release",
  "retry",
  "zombie",
];

export function batchModel(options: BatchModelOptions): Model<BatchState> {
  const { operations, parts = usual, leaseMs = 10 } = options;
  const world: World = { operations, parts: new Set(parts), leaseMs };
  const names = Object.keys(operations);
  return {
    initial: { ledger: new Ledger(), now: EPOCH, histories: new Map() },
    key: (state) =>
      [...names.map((name) => operationKey(state, sampleKey(name))), ...sessionKeys(world, state)].join(
        " ; ",
      ),
    describe: (state) => names.map((name) => describe(state.ledger.find(sampleKey(name)))).join("; "),
    *edges(state): Iterable<Edge<BatchState>> {
      const singles = [
        ...sessionActions(world, state),
        ...names.flatMap((name) => clientActions(world, state, name)),
        ...names.flatMap((name) => workerActions(world, name, state.ledger.find(sampleKey(name)))),
      ];
      for (const single of singles) yield runSingle(state, single);
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
  "override",
  "complete",
  "acquire",
  "closeSession",
  "expireSessions",
  "openSession",
  "sweepChildren",
  "tickDue",
]);

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
    const found = ledgerViolations(ledger, pair.next);
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
    cancel ? `${cancel.cause} ${cancel.evidence} ${cancel.force}` : "",
    familyKey(record),
  ];
  if (record.state === "PENDING") parts.push(ahead(record.startAfter, now));
  if (record.state === "RUNNING")
    parts.push(ahead((record.attemptStartTime ?? 0) + policy.attemptTimeoutMs * UNIT, now));
  if (record.state === "CANCELLING" && cancel)
    parts.push(ahead(cancel.deadline, now), record.attemptStartTime === null);
  if (!isDone(record.state) && record.watchDeadline !== null) parts.push(ahead(record.watchDeadline, now));
  return parts.join(" ");
}

function familyKey({ parents, hasOwnCaller, children, state, cancel }: OperationRecord): string {
  const links = parents.map(({ name, detached }) => `${name}${detached ? "-" : "+"}`).join("");
  const { started = 0, awaited = 0, unconfirmed = 0, stopMs = 0 } = children ?? {};
  const late = isDone(state) && cancel ? cancel.stopConfirmedTime !== null : "";
  return `${links}${hasOwnCaller}${started}${awaited}${unconfirmed}${isDone(state) ? "" : stopMs}${late}`;
}

function sessionKeys(world: World, { ledger, now }: BatchState): string[] {
  return sessionsOf(world).map(([name]) => {
    const session = ledger.sessions.get(name);
    if (!session) return "";
    return world.parts.has("expiry")
      ? String(ahead(session.heartbeatTime + session.leaseMs * 1000, now))
      : "open";
  });
}

function describe(record: OperationRecord | null): string {
  if (record === null) return "none";
  const { state, revision, lease, held, cancel, deleteTime, children } = record;
  const holder = lease
    ? ` ${lease.session}#${lease.token}${lease.begun ? "" : " reserved"}`
    : held
      ? " held"
      : "";
  const family = children ? ` children=${children.awaited}+${children.unconfirmed}/${children.started}` : "";
  const about = `${holder}${family}${cancel ? ` cancel=${cancel.evidence}` : ""}`;
  return `${state} rev=${revision}${about}${deleteTime === null ? "" : " deleted"}`;
}

/** True when nothing is left to do. */
export function isSettled({ ledger }: BatchState): boolean {
  return [...ledger.operations.values()].every(
    ({ state, children }) => isDone(state) && (children?.awaited ?? 0) === 0,
  );
}
