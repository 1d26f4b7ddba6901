// A step of an operation as an observer sees it, and what the observer remembers. Shares no code with `transition`.
import type { Instant } from "../../base/clock.ts";
import type { CommandOutcome, OperationCommand, Refusal } from "../commands.ts";
import { isDone, type Lease, type OperationRecord } from "../operation.ts";
import type { Transition } from "../transition.ts";

/** What one step wrote beside the operation's row. */
export interface StepWrites {
  /** Feed events: visible changes. */
  events: number;
  response: boolean;
  checkpoint: boolean;
}

/** One command applied to one operation, as an observer sees it. */
export interface Step {
  before: OperationRecord | null;
  command: OperationCommand;
  now: Instant;
  outcome: CommandOutcome;
  /** The same object as `before` when nothing was written. */
  after: OperationRecord | null;
  writes: StepWrites;
  /** What happened before this step. */
  history: History;
}

/** What an observer remembers of an operation, beside its record. */
export interface History {
  /** How many attempts have begun. */
  begun: number;
  /** The highest lease token seen. */
  lastToken: number;
  cancelAcknowledged: boolean;
  /** The worker's report that ended the operation. */
  ending: OperationCommand | null;
  /** An attempt that was taken away, and of which nothing says yet that it has ended. */
  open: Lease | null;
}

export const noHistory: History = {
  begun: 0,
  lastToken: 0,
  cancelAcknowledged: false,
  ending: null,
  open: null,
};

/** A step of `transition`. */
export function stepOf(
  before: OperationRecord | null,
  command: OperationCommand,
  now: Instant,
  result: Transition | Refusal,
  history: History,
): Step {
  if (result.type === "refused") {
    const writes = { events: 0, response: false, checkpoint: false };
    return { before, command, now, outcome: result, after: result.record, writes, history };
  }
  const kinds = (result.effects.payloads ?? []).map((write) => write.kind);
  const writes = {
    events: result.effects.visible ? 1 : 0,
    response: kinds.includes("response"),
    checkpoint: kinds.includes("checkpoint"),
  };
  return { before, command, now, outcome: result.reply, after: result.record, writes, history };
}

/** The history after a step. */
export function remember(step: Step): History {
  const { before, command, after, outcome, history } = step;
  if (after === before) return history;
  const ends = after !== null && isDone(after.state) && !(before && isDone(before.state));
  return {
    begun: history.begun + (beginsAnew(step) ? 1 : 0),
    lastToken: Math.max(history.lastToken, after?.lease?.token ?? 0),
    cancelAcknowledged:
      history.cancelAcknowledged || (command.type === "cancel" && outcome.type === "cancel"),
    ending: ends && "token" in command ? command : history.ending,
    open: openAttempt(step),
  };
}

const endingReports = new Set<OperationCommand["type"]>(["complete", "fail", "stopped", "release"]);

/** The attempt that no lease stands for any more, unless this step says that it has ended, or a new one took its place. */
function openAttempt({ before, command, after, history }: Step): Lease | null {
  const attempt = before?.lease?.begun ? before.lease : history.open;
  if (attempt === null || after?.lease?.begun) return null;
  if (endingReports.has(command.type) && isHolder(attempt, command)) return null;
  if (command.type === "override") return null;
  const isOver = command.type === "expireLease" && command.session === attempt.session && !command.survived;
  return isOver && attempt.guarded ? null : attempt;
}

/** A new attempt, and not one that was taken away and is now waited for by a cancel. */
function beginsAnew({ before, after, history }: Step): boolean {
  return isBegun(after) && !isBegun(before) && !isSame(after?.lease, history.open);
}

export function isBegun(record: OperationRecord | null): boolean {
  return record?.lease?.begun === true;
}

export function done(record: OperationRecord | null): boolean {
  return record !== null && isDone(record.state);
}

export function isSame(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

export function errorCode(record: OperationRecord): number | null {
  return record.outcome?.kind === "error" ? record.outcome.status.code : null;
}

/** The holder named by the command is the one that the lease (or the held slot) knows. */
export function isHolder(lease: OperationRecord["lease"] | undefined, command: OperationCommand): boolean {
  return "token" in command && lease?.session === command.session && lease.token === command.token;
}

/** Its own work is known to have stopped, and something else is waited for. */
export function isWaiting(record: OperationRecord | null): boolean {
  return record?.state === "CANCELLING" && record.cancel?.stopTime != null;
}
