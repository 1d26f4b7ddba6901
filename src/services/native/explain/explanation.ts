// The parts of an explanation, as plain data, and how it writes durations and counts.
import { type Instant, MICROS_PER_MS } from "../../../base/clock.ts";
import type { OperationDetail } from "../../../engine/operation.ts";
import type { WorkerView } from "../../../engine/session-directory.ts";
import type { ChildSummary, SlotUsers } from "../../../engine/store.ts";

/** The codes that ExplainOperation knows. */
export type ReasonCode =
  // Pending
  | "HELD"
  | "NOT_DUE"
  | "BACKOFF"
  | "RESERVED"
  | "KEY_BUSY"
  | "TYPE_LIMIT"
  | "NO_WORKER"
  | "SESSION_STUCK"
  | "ALL_SLOTS_BUSY"
  | "READY"
  // Running
  | "HANDLER_RUNNING"
  | "WORKER_SILENT"
  // Cancelling
  | "CANCEL_REQUESTED"
  | "CRITICAL_SECTION"
  | "HANDLER_STOPPING"
  | "IGNORING_SIGNAL"
  | "ESCALATED"
  // Running and cancelling
  | "CHILDREN"
  // Done
  | "SUCCEEDED"
  | "FAILED"
  | "CANCELLED"
  | "UNCONFIRMED";

export interface Reason {
  code: ReasonCode;
  text: string;
  /** Operation names, sessions. */
  about: readonly string[];
}

/** Something that happens by itself; without a time it is not known when. */
export interface NextStep {
  step: string;
  time: Instant | null;
}

export interface Explained {
  /** What holds it, the most important first. */
  reasons: readonly Reason[];
  /** All that may come next; the earliest one is told. */
  next: readonly NextStep[];
}

/** What an explanation is made from: the operation, its surroundings, and the present. */
export interface ExplainFacts {
  detail: OperationDetail;
  now: Instant;
  workers: readonly WorkerView[];
  children: readonly ChildSummary[];
  /** Who uses the slots of its type's limit, and of its key's; null where there is no such limit. */
  typeUsers: SlotUsers | null;
  keyUsers: SlotUsers | null;
}

const SECOND_MS = 1000;
const UNITS: readonly [name: string, ms: number][] = [
  ["d", 86_400 * SECOND_MS],
  ["h", 3600 * SECOND_MS],
  ["min", 60 * SECOND_MS],
];

/** `350 ms`, `1.2 s`, `5 min 3 s`, `2 h 10 min`. */
export function spanText(ms: number): string {
  const span = Math.max(0, ms);
  if (span < SECOND_MS) return `${Math.round(span)} ms`;
  for (const [index, [name, unitMs]] of UNITS.entries()) {
    if (span < unitMs) continue;
    const whole = Math.floor(span / unitMs);
    const [nextName, nextMs] = UNITS[index + 1] ?? ["s", SECOND_MS];
    const rest = Math.floor((span - whole * unitMs) / nextMs);
    return rest === 0 ? `${whole} ${name}` : `${whole} ${name} ${rest} ${nextName}`;
  }
  const seconds = span / SECOND_MS;
  return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`;
}

/** From one instant to another, as text. */
export function spanBetween(from: Instant, to: Instant): string {
  return spanText((to - from) / MICROS_PER_MS);
}

/** `1 slot`, `3 slots`. */
export function counted(count: number, one: string, many: string = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** How a worker is named to people: its own name, and its session. */
export function workerText(session: string, workers: readonly WorkerView[]): string {
  const name = workers.find((worker) => worker.session === session)?.worker;
  return name ? `worker ${name} (${session})` : `session ${session}`;
}
