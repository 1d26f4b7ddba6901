// What is reserved for this worker runs once the server has acknowledged its begin, and not before (G5).
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Ack_Outcome, AckSchema, type Report } from "../protocol/gen/belay/v1/workers_pb.ts";
import type { Assignment, CancelNotice } from "../protocol/worker-connection.ts";
import { eventually } from "../testing/eventually.ts";
import { RemoteAttempts } from "./remote-connection-attempts.ts";
import { RemoteReports } from "./remote-connection-reports.ts";

const attempt = { service: "default", tenant: "default", name: "operations/opr1", leaseToken: 7 };
const assignment: Assignment = {
  ...attempt,
  ...{ type: "test.work", attempt: 1, maxAttempts: 1, createdBy: "user:ada", input: {}, checkpoint: null },
  ...{
    deadlineMs: null,
    attemptTimeoutMs: 60_000,
    graceMs: 10_000,
    criticalMs: 0,
    cleanupMs: 0,
    killMs: 100,
  },
};
const cancel: CancelNotice = {
  ...attempt,
  ...{
    cause: "cancel",
    reason: "enough",
    requestedBy: "user:bob",
    force: false,
    graceMs: 10,
    deadlineMs: 20,
  },
};

interface Side {
  attempts: RemoteAttempts;
  /** What the worker hears, and `freed`. */
  heard: string[];
  sent: Report["report"]["case"][];
  /** Answers the newest report. */
  answer(outcome: Ack_Outcome): Promise<void>;
}

function setUp(t: TestContext): Side {
  const heard: string[] = [];
  const messages: Report[] = [];
  const reports = new RemoteReports((report) => messages.push(report) > 0);
  const attempts = new RemoteAttempts({
    reports,
    listener: {
      assigned: ({ name }) => heard.push(`assigned ${name}`),
      cancelRequested: ({ reason }) => heard.push(`cancel ${reason}`),
      revoked: ({ reason }) => heard.push(`revoked ${reason}`),
      drainRequested: () => heard.push("drain"),
    },
    slotFreed: () => heard.push("freed"),
    failed: (_, error) => heard.push(`failed ${error}`),
  });
  t.after(() => {
    attempts.close();
    reports.close();
  });
  return {
    attempts,
    heard,
    get sent() {
      return messages.map(({ report }) => report.case);
    },
    async answer(outcome) {
      const reportId = messages.at(-1)?.reportId ?? 0n;
      const before = heard.length + messages.length;
      reports.answered(create(AckSchema, { reportId, outcome }));
      await eventually("something follows", () => heard.length + messages.length > before);
    },
  };
}

test("a handler runs once the server knows that it begins", async (t) => {
  const side = setUp(t);
  void side.attempts.assigned(assignment);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([side.sent, side.heard], [["started"], []]);
  await side.answer(Ack_Outcome.ACCEPTED);
  assert.deepEqual(side.heard, [`assigned ${attempt.name}`]);
});

test("what the server refuses to begin never runs, and its slot is free", async (t) => {
  for (const outcome of [Ack_Outcome.LEASE_LOST, Ack_Outcome.ALREADY_DONE]) {
    const side = setUp(t);
    void side.attempts.assigned(assignment);
    await side.answer(outcome);
    assert.deepEqual(side.heard, ["freed"]);
    assert.equal(side.attempts.has(attempt), false);
  }
});

test("a begin whose answer says nothing is asked again", async (t) => {
  const side = setUp(t);
  void side.attempts.assigned(assignment);
  await side.answer(Ack_Outcome.UNAVAILABLE);
  await eventually("it is asked again", () => side.sent.length === 2);
  await side.answer(Ack_Outcome.ACCEPTED);
  assert.equal(side.heard.at(-1), `assigned ${attempt.name}`);
});

test("a cancel that comes before the acknowledgement is told right after the start", async (t) => {
  const side = setUp(t);
  void side.attempts.assigned(assignment);
  side.attempts.cancelRequested(cancel);
  assert.deepEqual(side.heard, []);
  await side.answer(Ack_Outcome.ACCEPTED);
  assert.deepEqual(side.heard, [`assigned ${attempt.name}`, "cancel enough"]);
});

test("what is taken away before the acknowledgement never runs, and the server is told so", async (t) => {
  const side = setUp(t);
  void side.attempts.assigned(assignment);
  side.attempts.revoked({ ...attempt, reason: "timeout" });
  await side.answer(Ack_Outcome.ACCEPTED);
  assert.deepEqual([side.sent, side.heard], [["started", "stopped"], []]);
  await side.answer(Ack_Outcome.ACCEPTED);
  assert.deepEqual(side.heard, ["freed"]);
});
