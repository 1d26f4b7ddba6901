// Somebody watches: the durable presence of watchers, which keeps operations alive that are stopped when nobody looks.
import type { Instant } from "../../base/clock.ts";
import type { OperationRecord } from "../operation.ts";
import { accept, type Transition, unchanged } from "./change.ts";

/** When an operation that nobody watches from `now` on is cancelled, or null if it runs on unwatched. */
export function watchDeadlineFrom(
  now: Instant,
  { unwatchedMs }: { unwatchedMs: number },
): OperationRecord["watchDeadline"] {
  return unwatchedMs > 0 ? now + unwatchedMs * 1000 : null;
}

/** Starts the watch deadline anew; it only ever moves later, whatever the clock does. Nothing visible changes. */
export function watched(record: OperationRecord, now: Instant): Transition {
  const isLive = record.state === "PENDING" || record.state === "RUNNING";
  const watchDeadline = watchDeadlineFrom(now, record.policy);
  if (!isLive || watchDeadline === null || watchDeadline <= (record.watchDeadline ?? 0))
    return unchanged(record);
  return accept({ ...record, watchDeadline }, { visible: false });
}
