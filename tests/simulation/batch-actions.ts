// Everything that can happen in the batch model: what clients, workers, sessions and time do, as commands with labels.
import type { Command } from "../../src/engine/commands.ts";
import type { OperationRecord } from "../../src/engine/operation.ts";
import {
  cancelCommand,
  completeCommand,
  failCommand,
  type Holder,
  type StartChoice,
  sampleKey,
  simple,
  startCommand,
  stoppedCommand,
} from "../../src/testing/sample-operation.ts";
import { AGAIN, type BatchState } from "./batch-checks.ts";

export interface Action {
  label: string;
  command: Command;
  isFair: boolean;
}

/** Which of the operations starts another as its child, and how. */
export interface ChildChoice {
  of: readonly string[];
  policy: "cancel" | "abandon" | "wait";
  /** Several parents, or a caller, may name it by one request id. */
  shared?: boolean;
}

export interface BatchOperation extends Omit<StartChoice, "name" | "parentAttempt" | "shared"> {
  child?: ChildChoice;
}

/** Parts of the world that a search may leave out, to look deeper elsewhere. */
export type Part =
  | "second session"
  | "reserve"
  | "sessions"
  | "repeats"
  | "delete"
  | "release"
  | "retry"
  | "zombie"
  | "force"
  | "override"
  | "expiry"
  | "children";

export interface World {
  operations: Readonly<Record<string, BatchOperation>>;
  parts: ReadonlySet<Part>;
  /** How long a session's lease lasts, in units. */
  leaseMs: number;
}

function action(label: string, command: Command, isFair = false): Action {
  return { label, command, isFair };
}

export const SESSIONS = { w1: true, w2: false } as const;

export function sessionsOf({ parts }: World): [string, boolean][] {
  return Object.entries(SESSIONS).filter(([session]) => session === "w1" || parts.has("second session"));
}

export function sessionActions(world: World, { ledger }: BatchState): Action[] {
  const { parts } = world;
  const actions = [action("tickDue", { type: "tickDue", limit: 10 }, true)];
  if (parts.has("children")) actions.push(action("sweep", { type: "sweepChildren", limit: 10 }, true));
  if (parts.has("expiry"))
    actions.push(action("sessions expire", { type: "expireSessions", limit: 10 }, true));
  for (const [session, guarded] of sessionsOf(world)) {
    const isFair = session === "w1";
    const acquire = { type: "acquire", session, types: ["test.work"], guarded, begin: true } as const;
    actions.push(action(`${session} acquires 1`, { ...acquire, limit: 1 }, isFair));
    if (parts.has("reserve"))
      actions.push(action(`${session} reserves 2`, { ...acquire, limit: 2, begin: false }));
    if (parts.has("sessions")) {
      actions.push(action(`${session} closes`, { type: "closeSession", session, survivors: [] }));
      actions.push(action(`${session} beats`, { type: "heartbeat", session }));
    }
    if (!ledger.sessions.has(session))
      actions.push(action(`${session} opens`, opening(world, session), isFair));
  }
  return actions;
}

function opening({ leaseMs }: World, session: string): Command {
  const types = ["test.work"];
  const guarded = session === "w1";
  const about = {
    worker: session,
    build: "",
    principal: "",
    bootId: "boot",
    types,
    slots: 2,
    guarded,
    leaseMs,
  };
  return { type: "openSession", session, kind: "remote", ...about };
}

/** What callers do with one operation, and its parents' running attempts for them. */
export function clientActions(world: World, state: BatchState, name: string): Action[] {
  const { child, ...choice } = world.operations[name] ?? {};
  const { parts } = world;
  const isShared = child?.shared === true;
  const requestKey = { method: "Start", requestId: `request-${name}`, digest: "body" };
  const start = startCommand({ name, requestKey, ...choice });
  const again = { ...start, key: sampleKey(name + AGAIN) };
  const actions: Action[] = [action(`cancel ${name}`, cancelCommand({ name }))];
  for (const parent of child?.of ?? []) {
    const record = state.ledger.find(sampleKey(parent));
    const { session = "w1", token = 0 } = record?.lease ?? {};
    const parentAttempt = { key: sampleKey(parent), session, token, policy: child?.policy ?? "cancel" };
    actions.push(action(`${parent} starts ${name}`, { ...start, parentAttempt, shared: isShared }));
    if (hasRequestKey(state, name)) {
      const repeated = { ...again, parentAttempt, shared: isShared };
      actions.push(action(`${parent} starts ${name} again`, repeated));
    }
  }
  if (!child || isShared) actions.push(action(`start ${name}`, start));
  if ((!child || isShared) && hasRequestKey(state, name)) actions.push(action(`start ${name} again`, again));
  if (parts.has("repeats")) {
    const otherBody = { ...start, requestKey: { ...requestKey, digest: "other" } };
    actions.push(action(`start ${name}, another body`, otherBody));
  }
  if (parts.has("delete")) actions.push(action(`delete ${name}`, simple.remove(name)));
  if (parts.has("force")) actions.push(action(`force ${name}`, cancelCommand({ name, force: true })));
  if (parts.has("override")) actions.push(action(`override ${name}`, simple.override(name)));
  return actions;
}

/** A start under another name is a repetition once its request id is known; before that it would be a third operation. */
function hasRequestKey({ ledger }: BatchState, name: string): boolean {
  return [...ledger.requestKeys.values()].some((known) => name === known.name);
}

export function workerActions({ parts }: World, name: string, record: OperationRecord | null): Action[] {
  const holder = record?.lease ?? record?.held;
  if (!record || record.leaseToken === 0) return [];
  const session = holder?.session ?? "w1";
  const current: Holder = { session, token: record.leaseToken };
  const zombie: Holder = { session, token: record.leaseToken - 1 };
  const actions = [
    action(`complete ${name}`, completeCommand(current, "done", name), true),
    action(`stopped ${name}`, stoppedCommand(current, "HANDLER_STOPPED", name)),
  ];
  if (parts.has("reserve"))
    actions.push(
      action(`begin ${name}`, simple.begin(current, name), true),
      action(`return ${name}`, simple.giveBack(current, name)),
    );
  if (parts.has("release")) actions.push(action(`release ${name}`, simple.release(current, name)));
  if (parts.has("retry"))
    actions.push(action(`fail ${name}, retryable`, failCommand(current, { retryable: true, name })));
  if (parts.has("zombie"))
    actions.push(action(`complete ${name} by a zombie`, completeCommand(zombie, "done", name)));
  return actions;
}
