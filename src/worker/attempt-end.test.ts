// Every end of a run against every abort of its attempt; the expected reports are written by hand.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AttemptKey, WorkerReport } from "../protocol/worker-connection.ts";
import { type AttemptAbort, endReport } from "./attempt-end.ts";
import type { RunEnd } from "./runner.ts";

const attempt: AttemptKey = { service: "s", tenant: "t", name: "operations/1", leaseToken: 7 };
const how = { evidence: "HANDLER_STOPPED", mechanism: "SIGNAL" } as const;
const error = { code: 2, message: "boom" };

const ends = {
  returned: { type: "returned", response: { a: 1 }, ...how },
  stopped: { type: "stopped", ...how },
  "threw the reason": { type: "threw", error, retryable: false, abortCaused: true, ...how },
  "threw another": { type: "threw", error, retryable: true, abortCaused: false, ...how },
} as const satisfies Record<string, RunEnd>;

const aborts = {
  none: { abortedBy: null, isCancelled: false, isRevoked: false },
  cancel: { abortedBy: "cancel", isCancelled: true, isRevoked: false },
  deadline: { abortedBy: "deadline", isCancelled: true, isRevoked: false },
  shutdown: { abortedBy: "shutdown", isCancelled: false, isRevoked: false },
  "shutdown, then cancel": { abortedBy: "shutdown", isCancelled: true, isRevoked: false },
  revoked: { abortedBy: "lease-lost", isCancelled: false, isRevoked: true },
  "cancel, then revoked": { abortedBy: "cancel", isCancelled: true, isRevoked: true },
} as const satisfies Record<string, AttemptAbort>;

const complete: WorkerReport = { type: "complete", attempt, response: { a: 1 } };
const stopped: WorkerReport = { type: "stopped", attempt, ...how };
const release: WorkerReport = { type: "release", attempt };
const failed: WorkerReport = { type: "fail", attempt, error, retryable: true, abortCaused: false, ...how };
const aborted = (code: number): WorkerReport => {
  return {
    type: "fail",
    attempt,
    error: { code, message: "boom" },
    retryable: false,
    abortCaused: true,
    ...how,
  };
};

const rows: readonly [
  abort: keyof typeof aborts,
  expected: Partial<Record<keyof typeof ends, WorkerReport>>,
][] = [
  ["none", { returned: complete, "threw another": failed }],
  ["cancel", { returned: complete, stopped, "threw the reason": aborted(1), "threw another": failed }],
  ["deadline", { returned: complete, stopped, "threw the reason": aborted(4), "threw another": failed }],
  [
    "shutdown",
    { returned: complete, stopped: release, "threw the reason": release, "threw another": failed },
  ],
  [
    "shutdown, then cancel",
    { returned: complete, stopped, "threw the reason": stopped, "threw another": failed },
  ],
  ["revoked", { returned: stopped, stopped, "threw the reason": stopped, "threw another": stopped }],
  [
    "cancel, then revoked",
    { returned: stopped, stopped, "threw the reason": stopped, "threw another": stopped },
  ],
];

for (const [abort, expected] of rows) {
  for (const [end, report] of Object.entries(expected)) {
    test(`${end} after ${abort} is reported as ${report.type}`, () => {
      assert.deepEqual(endReport(ends[end as keyof typeof ends], aborts[abort], attempt), report);
    });
  }
}
