import assert from "node:assert/strict";
import { test } from "node:test";
import { MICROS_PER_SECOND } from "../base/clock.ts";
import { type Instrument, instruments } from "../base/telemetry.ts";
import { storedOperation } from "../testing/stored-operation.ts";
import type { Command, CommandOutcome } from "./commands.ts";
import { EngineMetrics } from "./engine-metrics.ts";
import type { CancelRequest, OperationRecord } from "./operation.ts";
import type { LiveCounts, OpenSession } from "./store.ts";

const START = 1_800_000_000_000_000;
const at = (seconds: number): number => START + seconds * MICROS_PER_SECOND;

interface Figures {
  now: number;
  live: LiveCounts[];
  sessions: OpenSession[];
  held: number;
}

function setUp(): { metrics: EngineMetrics; figures: Figures } {
  const figures: Figures = { now: START, live: [], sessions: [], held: 0 };
  const source = {
    clock: { now: () => figures.now },
    liveCounts: async () => figures.live,
    listSessions: async () => figures.sessions,
    heldCount: async () => figures.held,
  };
  return { metrics: new EngineMetrics(source, { waiters: () => 3, watchers: () => 2 }), figures };
}

function changedTo(changes: Partial<OperationRecord>): Extract<CommandOutcome, { type: "operation" }> {
  return { type: "operation", record: storedOperation(changes).record, changed: true };
}

function commit(
  metrics: EngineMetrics,
  records: readonly Partial<OperationRecord>[],
  commands: readonly Command[] = [],
  outcomes: readonly CommandOutcome[] = [],
): void {
  const changed = records.map((changes) => {
    const { record } = storedOperation({ createTime: at(1), updateTime: at(1), ...changes });
    return { record, response: null, metadata: null };
  });
  metrics.committed({ commands, outcomes, changed, durationMs: 2, place: 0 });
}

/** "a,b=1": each point of an instrument, and the sum of its seconds for a histogram. */
async function points(metrics: EngineMetrics, instrument: Instrument): Promise<string[]> {
  const found = (await metrics.measurements.collect()).find((measured) => measured.instrument === instrument);
  return (found?.points ?? []).map(({ labels, value, buckets, sum }) => {
    const count = buckets.reduce((total, inBucket) => total + inBucket, 0);
    return `${labels.join()}=${instrument.kind === "histogram" ? `${count}/${sum}` : value}`;
  });
}

const request: CancelRequest = {
  cause: "cancel",
  requestedBy: "user:ada",
  onBehalfOf: "",
  requestId: "",
  force: false,
  reason: "",
  origin: "native/rest",
  requestTime: at(4),
  graceEndTime: at(14),
  deadline: at(20),
  deliverTime: null,
  deferredBy: null,
  acknowledgeTime: null,
  escalateTime: null,
  stopTime: null,
  evidence: null,
  mechanism: null,
  stopConfirmedTime: null,
};

test("a life is counted once: start, attempt, cancel with its phases, end", async () => {
  const { metrics } = setUp();
  commit(metrics, [{}]);
  commit(metrics, [{ state: "RUNNING", attempt: 1, attemptStartTime: at(3), updateTime: at(3) }]);
  const running = { state: "CANCELLING", attempt: 1, attemptStartTime: at(3) } as const;
  commit(metrics, [{ ...running, cancel: request, updateTime: at(4) }]);
  const report = { key: { service: "default", tenant: "default", name: "a" }, session: "w", token: 1 };
  const delivered = { ...running, cancel: { ...request, deliverTime: at(5) }, updateTime: at(5) } as const;
  const delivery = { ...report, type: "cancelPhase", phase: "DELIVERED", detail: "" } as const;
  commit(metrics, [delivered], [delivery], [changedTo(delivered)]);
  // Told again: nothing has changed.
  commit(metrics, [], [delivery], [{ ...changedTo(delivered), changed: false }]);
  // Told two seconds later, with the stop.
  const stop = { evidence: "HANDLER_STOPPED", mechanism: "SIGNAL" } as const;
  const cancel = { ...delivered.cancel, acknowledgeTime: at(6), stopTime: at(8), ...stop };
  const done = { ...running, state: "CANCELLED", cancel, doneTime: at(8), updateTime: at(8) } as const;
  const steps = [{ phase: "ACKNOWLEDGED", detail: "", agoMs: 2000 }] as const;
  commit(metrics, [done], [{ ...report, type: "stopped", ...stop, steps }], [changedTo(done)]);
  commit(metrics, [{ ...done, updateTime: at(9), deleteTime: at(9) }]);
  const expected: readonly [Instrument, string[]][] = [
    [instruments.operationsStarted, ["default,ocr.recognize=1"]],
    [instruments.attemptsStarted, ["default,ocr.recognize=1"]],
    [instruments.startLatency, ["default=1/2"]],
    [instruments.cancelsRequested, ["default,cancel=1"]],
    [
      instruments.cancelLatency,
      ["default,delivered=1/1", "default,acknowledged=1/2", "default,stopped=1/4", "default,ended=1/4"],
    ],
    [instruments.operationsEnded, ["default,ocr.recognize,CANCELLED=1"]],
    [instruments.operationDuration, ["default,CANCELLED=1/7"]],
    [instruments.stopsUnconfirmed, []],
    [instruments.commitBatch, ["=7/3"]],
  ];
  for (const [instrument, texts] of expected) assert.deepEqual(await points(metrics, instrument), texts);
});

test("what ended before the server began is not counted when it is deleted", async () => {
  const { metrics } = setUp();
  const doneTime = START - 10;
  commit(metrics, [
    { state: "FAILED", createTime: START - 20, doneTime, updateTime: at(1), deleteTime: at(1) },
  ]);
  assert.deepEqual(await points(metrics, instruments.operationsEnded), []);
  assert.deepEqual(await points(metrics, instruments.operationsStarted), []);
});

test("an operation that is started, cancelled and deleted in one commit is counted as each", async () => {
  const { metrics } = setUp();
  const cancel = { ...request, requestTime: at(1), stopTime: at(1), evidence: "NEVER_STARTED" } as const;
  commit(metrics, [
    { state: "CANCELLED", cancel, doneTime: at(1) + 1, updateTime: at(1) + 2, deleteTime: at(1) },
  ]);
  assert.deepEqual(await points(metrics, instruments.operationsStarted), ["default,ocr.recognize=1"]);
  assert.deepEqual(await points(metrics, instruments.operationsEnded), ["default,ocr.recognize,CANCELLED=1"]);
});

test("an unconfirmed stop is counted when it ends, and again as confirmed when evidence comes", async () => {
  const { metrics } = setUp();
  const status = { code: 2, message: "STOP_UNCONFIRMED: no evidence by the deadline", details: [] };
  const outcome = { kind: "error", status, digest: "" } as const;
  const ended = { state: "FAILED", outcome, doneTime: at(20), createTime: START - 5 } as const;
  commit(metrics, [{ ...ended, cancel: request, updateTime: at(20) }]);
  assert.deepEqual(await points(metrics, instruments.stopsUnconfirmed), ["default,ocr.recognize=1"]);
  const late = {
    ...request,
    evidence: "OPERATOR",
    mechanism: "OVERRIDE",
    stopConfirmedTime: at(30),
  } as const;
  commit(metrics, [{ ...ended, cancel: late, updateTime: at(30) }]);
  assert.deepEqual(await points(metrics, instruments.stopsUnconfirmed), ["default,ocr.recognize=1"]);
  assert.deepEqual(await points(metrics, instruments.stopsConfirmedLate), [
    "default,ocr.recognize,OPERATOR=1",
  ]);
});

test("heartbeats, lost leases and refused reports are counted from the commands", async () => {
  const { metrics } = setUp();
  const key = { service: "default", tenant: "default", name: "operations/a" };
  const progress = { percent: 1, message: "" };
  const report: Command = { type: "progress", key, session: "s", token: 1, progress };
  commit(
    metrics,
    [],
    [
      { type: "heartbeat", session: "s" },
      { type: "heartbeat", session: "gone" },
      { type: "expireSessions", limit: 10 },
      { type: "closeSession", session: "s", survivors: [] },
      { type: "closeSession", session: "idle", survivors: [] },
      report,
      report,
      { type: "delete", key, requestedBy: "", origin: "" },
    ],
    [
      { type: "session" },
      { type: "refused", reason: "SESSION_UNKNOWN", record: null },
      { type: "settled", count: 100 },
      { type: "settled", count: 2 },
      { type: "settled", count: 0 },
      { type: "refused", reason: "LEASE_LOST", record: null },
      { type: "refused", reason: "LEASE_LOST", record: null },
      { type: "refused", reason: "NOT_FOUND", record: null },
    ],
  );
  assert.deepEqual(await points(metrics, instruments.heartbeats), ["=1"]);
  assert.deepEqual(await points(metrics, instruments.leasesLost), ["expired=100", "closed=2"]);
  assert.deepEqual(await points(metrics, instruments.writesRefused), ["progress,LEASE_LOST=2"]);
  assert.deepEqual(await points(metrics, instruments.commitBatch), ["=1/8"]);
});

test("gauges are read when they are asked for", async () => {
  const { metrics, figures } = setUp();
  figures.now = at(60);
  const live = { service: "default", type: "a", count: 4, oldestStart: at(45) };
  figures.live = [
    { ...live, state: "PENDING" },
    { ...live, state: "RUNNING", count: 2, oldestStart: null },
    { ...live, type: "b", state: "PENDING", oldestStart: null },
  ];
  const session = { session: "", worker: "", build: "", principal: "", types: [], guarded: true, bootId: "" };
  const rest = { leaseMs: 0, openTime: 0, heartbeatTime: 0, held: 0 };
  figures.sessions = [
    { ...session, ...rest, kind: "remote", slots: 10, running: 3, reserved: 1 },
    { ...session, ...rest, kind: "remote", slots: 5, running: 6, reserved: 0 },
    { ...session, ...rest, kind: "embedded", slots: 7, running: 0, reserved: 0 },
  ];
  figures.held = 1;
  const expected: readonly [Instrument, string[]][] = [
    [instruments.operationsLive, ["default,a,PENDING=4", "default,a,RUNNING=2", "default,b,PENDING=4"]],
    [instruments.queueAge, ["default,a=15"]],
    [instruments.sessions, ["remote=2", "embedded=1"]],
    [instruments.slots, ["remote,used=10", "remote,free=6", "embedded,used=0", "embedded,free=7"]],
    [instruments.attemptsHeld, ["=1"]],
    [instruments.waiters, ["=3"]],
    [instruments.watchers, ["=2"]],
  ];
  for (const [instrument, texts] of expected) assert.deepEqual(await points(metrics, instrument), texts);
});

test("types beyond two hundred are counted as one", async () => {
  const { metrics } = setUp();
  const records = Array.from({ length: 210 }, (_, index) => ({ type: `t.n${index}` }));
  commit(metrics, records);
  const found = await points(metrics, instruments.operationsStarted);
  assert.equal(found.length, 201);
  assert.equal(found.at(-1), "default,other=10");
});
