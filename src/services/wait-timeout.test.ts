import assert from "node:assert/strict";
import { test } from "node:test";
import { monotonicMs } from "../base/clock.ts";
import type { CallContext } from "./method.ts";
import { waitTimeoutMs } from "./wait-timeout.ts";

function context(transport: "grpc" | "rest", leftMs: number): CallContext {
  return {
    requestId: "r",
    principal: { id: "anonymous", tenant: "default", scopes: null, grants: null },
    service: "default",
    transport,
    authority: undefined,
    deadlineMs: leftMs === Number.POSITIVE_INFINITY ? leftMs : monotonicMs() + leftMs,
    onCallerGone: () => {},
    header: () => undefined,
    setHeader: () => {},
    setTrailer: () => {},
  };
}

const never = Number.POSITIVE_INFINITY;

const rows: readonly [string, "grpc" | "rest", number | undefined, number, number, number][] = [
  // What, transport, asked, left until the deadline, and the wait's limits.
  ["what was asked", "grpc", 5000, never, 5000, 5000],
  ["ten minutes where more was asked", "grpc", 86_400_000, never, 600_000, 600_000],
  ["ten minutes where nothing was asked and no deadline is set", "grpc", undefined, never, 600_000, 600_000],
  ["what HTTP clients permit where a REST call asks for nothing", "rest", undefined, never, 50_000, 50_000],
  ["a tenth less than the deadline leaves", "grpc", undefined, 5000, 4400, 4501],
  ["at most a second less", "grpc", undefined, 60_000, 58_900, 59_001],
  ["at least 50 ms less", "grpc", undefined, 200, 100, 151],
  ["nothing when the deadline is all but over", "grpc", 5000, 30, 0, 0],
  ["nothing for a timeout of zero", "grpc", 0, never, 0, 0],
];

for (const [what, transport, asked, leftMs, min, max] of rows) {
  test(`a wait is held for ${what}`, () => {
    const timeoutMs = waitTimeoutMs(asked, context(transport, leftMs));
    assert.ok(timeoutMs >= min && timeoutMs <= max, `${timeoutMs}`);
  });
}
