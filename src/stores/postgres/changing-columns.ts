// The columns of an operation that an UPDATE sets, and their values. Written out: picking them from a whole row made two
// arrays of 58 values for each, and cost twice as much.
import type { OperationRecord } from "../../engine/operation.ts";
import type { SqlValue } from "../operation-rows.ts";
import { columnNames, derivedColumns, kinValues, leaseColumns, outcomeColumns } from "../operation-rows.ts";

/** All but those that never change once an operation is there. */
export const changingColumns: readonly string[] =
  columnNames(`state, revision, update_time, start_after, attempt,
  lease_token, lease_session, lease_begun, lease_guarded, held_session, held_begun, held_guarded, attempt_start_time,
  activity_time, progress_percent, progress_message, cancel, outcome, outcome_digest, error, done_time, delete_time,
  watch_deadline, parents, children, has_own_caller, next_timer, expire_time, start_class`);

/** Key, version, then `changingColumns`. */
export function changedRow(record: OperationRecord, version: number): SqlValue[] {
  const { lease, held, progress, cancel, outcome } = record;
  const [leaseSession, leaseBegun, leaseGuarded] = leaseColumns(lease);
  const [heldSession, heldBegun, heldGuarded] = leaseColumns(held);
  const [outcomeKind, digest, error] = outcomeColumns(outcome);
  const [watchDeadline, parents, children, hasOwnCaller] = kinValues(record);
  const [nextTimer, expireTime, startClass] = derivedColumns(record);
  return [
    record.service,
    record.tenant,
    record.name,
    version,
    record.state,
    record.revision,
    record.updateTime,
    record.startAfter,
    record.attempt,
    record.leaseToken,
    leaseSession,
    leaseBegun,
    leaseGuarded,
    heldSession,
    heldBegun,
    heldGuarded,
    record.attemptStartTime,
    record.activityTime,
    progress?.percent ?? null,
    progress?.message ?? null,
    cancel === null ? null : JSON.stringify(cancel),
    outcomeKind,
    digest,
    error,
    record.doneTime,
    record.deleteTime,
    watchDeadline,
    parents,
    children,
    hasOwnCaller,
    nextTimer,
    expireTime,
    startClass,
  ];
}
