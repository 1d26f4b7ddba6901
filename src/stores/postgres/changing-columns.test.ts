// What an UPDATE sets: all that changes, and the values of the row's own columns.
import assert from "node:assert/strict";
import test from "node:test";
import { decide } from "../../engine/decide.ts";
import type { ReadSet } from "../../engine/decision.ts";
import type { OperationRecord } from "../../engine/operation.ts";
import { startCommandOf } from "../../engine/start-command.ts";
import { policy, request } from "../../testing/test-engine.ts";
import { DERIVED_COLUMNS, derivedColumns, OPERATION_COLUMNS, recordToRow } from "../operation-rows.ts";
import { changedRow, changingColumns } from "./changing-columns.ts";

const empty: ReadSet = {
  operations: new Map(),
  sessions: new Map(),
  slots: new Map(),
  requestKeys: new Map(),
  targets: new Map(),
  expired: new Map(),
};

/** Each column of its own value, so that none stands in for another. */
function sample(): OperationRecord {
  const now = 1_800_000_000_000_000;
  const [made] = decide(empty, [startCommandOf(request(), policy, now)], now).inserted;
  assert.ok(made);
  const lease = { session: "ses-1", token: 9, begun: true, guarded: false };
  const held = { session: "ses-2", token: 9, begun: false, guarded: true };
  return {
    ...made.record,
    ...{ state: "RUNNING", revision: 5, updateTime: now + 1, startAfter: now + 2, attempt: 3, leaseToken: 9 },
    ...{
      lease,
      held,
      attemptStartTime: now + 3,
      activityTime: now + 4,
      doneTime: now + 5,
      deleteTime: now + 6,
    },
    progress: { percent: 7, message: "seven" },
    outcome: { kind: "error", digest: "d", status: { code: 13, message: "m", details: [] } },
    ...{ watchDeadline: now + 7, parents: [], hasOwnCaller: true },
  };
}

test("an update sets the columns that change, each to the value that an insert would give it", () => {
  const record = sample();
  const columns = [...OPERATION_COLUMNS, ...DERIVED_COLUMNS];
  const row = [...recordToRow(record), ...derivedColumns(record)];
  const expected = changingColumns.map((column) => row[columns.indexOf(column)]);
  assert.deepEqual(changedRow(record, 4), [record.service, record.tenant, record.name, 4, ...expected]);
});

test("what an update leaves out is what never changes", () => {
  const left = [...OPERATION_COLUMNS, ...DERIVED_COLUMNS].filter(
    (column) => !changingColumns.includes(column),
  );
  assert.equal(
    left.join(" "),
    "service tenant name id parent type create_time created_by description cancellable grace_ms critical_ms cleanup_ms kill_ms max_attempts backoff_ms backoff_max_ms attempt_timeout_ms stall_timeout_ms retention_ms on_delete deadline type_limit key_limit concurrency_key priority supersede_key rerun_of unwatched_ms",
  );
});
