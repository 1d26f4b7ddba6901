// A history: what the callers of some servers asked and were answered, what their watches were told, and what the workers'
// own traces say. All times are milliseconds of one monotonic clock, that of the process that recorded.
import type { View } from "./view.ts";

/** When a call was sent, and when its answer was there. */
export interface Span {
  startMs: number;
  /** Infinity: it was never answered, or not so that its effect is known; it may take effect at any time later. */
  endMs: number;
}

/** `ok`: the answer came. `refused`: an error that says that nothing was done. `unknown`: it may have been done. */
export type Outcome = "ok" | "refused" | "unknown";

export interface Call extends Span {
  what: "start" | "get" | "cancel" | "delete";
  /** The operation; of a start that was not answered "", until a list settles it. */
  name: string;
  /** Who called: one caller has one call at a time. */
  caller: string;
  /** The server that it was sent to, for people. */
  node: string;
  outcome: Outcome;
  /** What an answer said of the operation. */
  view?: View;
  /** Of a start. */
  requestId?: string;
  /** Of a cancel on the native surface. */
  verdict?: string;
  /** The reason of a refusal, for instance OPERATION_NOT_FOUND. */
  refusal?: string;
}

/** All pages of one listing of everything, or of everything with a label. */
export interface Listing extends Span {
  caller: string;
  node: string;
  /** Of the operations that it is to show; null for all. */
  label: { key: string; value: string } | null;
  /** Deleted operations, too. */
  showDeleted: boolean;
  rows: readonly ListedRow[];
}

/** A row with the time of its page's call. */
export interface ListedRow extends Span {
  name: string;
  labels: Readonly<Record<string, string>>;
  view: View;
}

export interface ToldEvent {
  name: string;
  atMs: number;
  view: View;
}

/** Everything that one watch was told after it had begun, across broken connections. */
export interface Watched {
  caller: string;
  /** Of the operations that it watches; null for all. */
  label: { key: string; value: string } | null;
  /** When it is known to have begun: every change that is committed later has to be told. */
  fromMs: number;
  /** When it had been told all that there was; Infinity for one that ended early. */
  untilMs: number;
  events: readonly ToldEvent[];
}

/** One attempt as its own process wrote it down. */
export interface Attempted {
  name: string;
  attempt: number;
  begins: number;
  worker: string;
  beginMs: number;
  /** When it last did anything. */
  lastMs: number;
  end: "done" | "stopped" | "failed" | null;
}

/** How a server's record says that an attempt ended. */
export interface RecordedAttempt {
  attempt: number;
  outcome: string;
}

export interface History {
  calls: readonly Call[];
  listings: readonly Listing[];
  watches: readonly Watched[];
  attempts: readonly Attempted[];
  /** What the server's record says of the attempts of each operation in the end. */
  records: ReadonlyMap<string, readonly RecordedAttempt[]>;
  /** The labels of each operation that was seen or started. */
  labels: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** Operations that somebody else may cancel at any time after it was asked for: cancels by filter, parents. */
  sweeps: readonly { label: { key: string; value: string }; startMs: number }[];
  /** Everything that is left must be done when the history ends. */
  isSettled: boolean;
}

/** A broken promise, with the rule that it breaks (S1-S22, L3). */
export interface Finding {
  rule: string;
  name: string;
  text: string;
}

/** The ends of time for a call that was not answered. */
export const NEVER: number = Number.POSITIVE_INFINITY;

/** True if the label is among these; a null label is on everything. */
export function isLabelled(
  labels: Readonly<Record<string, string>> | undefined,
  label: { key: string; value: string } | null,
): boolean {
  return label === null || labels?.[label.key] === label.value;
}
