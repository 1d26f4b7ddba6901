// Explain: each reason from the facts that make it, and the ones that a real server can be brought into.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { CancelRequest, OperationRecord } from "../../../engine/operation.ts";
import type { WorkerView } from "../../../engine/session-directory.ts";
import type { JsonObject } from "../../../protocol/worker-connection.ts";
import { eventually } from "../../../testing/eventually.ts";
import { type NativeWorld, startNativeWorld } from "../../../testing/native-world.ts";
import { storedOperation } from "../../../testing/stored-operation.ts";
import { projectExplanation } from "./explain-operation.ts";
import { type ExplainFacts, spanText } from "./explanation.ts";

const NOW = 1_800_000_100_000_000;
const SECOND = 1_000_000;
const lease = { session: "ses1", token: 7, begun: true, guarded: true };

const worker: WorkerView = {
  session: "ses1",
  kind: "remote",
  worker: "w",
  build: "",
  principal: "",
  types: ["ocr.recognize"],
  slots: 2,
  guarded: true,
  bootId: "",
  leaseMs: 15_000,
  openTime: NOW,
  heartbeatTime: NOW,
  running: 0,
  reserved: 0,
  held: 0,
  connected: true,
  free: 1,
  stuck: 0,
};

const cancel: CancelRequest = {
  cause: "cancel",
  requestedBy: "user:ada",
  onBehalfOf: "",
  requestId: "",
  force: false,
  reason: "wrong file",
  origin: "native/rest",
  requestTime: NOW - 3 * SECOND,
  graceEndTime: NOW + 7 * SECOND,
  deadline: NOW + 12 * SECOND,
  deliverTime: null,
  deferredBy: null,
  acknowledgeTime: null,
  escalateTime: null,
  stopTime: null,
  evidence: null,
  mechanism: null,
  stopConfirmedTime: null,
};

interface Told {
  codes: string[];
  summary: string;
  next: string;
  inSeconds: number | null;
}

function told(record: Partial<OperationRecord>, facts: Partial<Omit<ExplainFacts, "detail">> = {}): Told {
  const { reasons, summary, nextStep, nextTime } = projectExplanation({
    detail: { ...storedOperation(record), labels: {}, request: null, checkpoint: null, attempts: [] },
    now: NOW,
    workers: [worker],
    children: [],
    typeUsers: null,
    keyUsers: null,
    ...facts,
  });
  const inSeconds = nextTime ? Number(nextTime.seconds) - NOW / SECOND : null;
  return { codes: reasons.map(({ code }) => code), summary, next: nextStep, inSeconds };
}

const { policy } = storedOperation().record;
const running: Partial<OperationRecord> = {
  state: "RUNNING",
  attempt: 1,
  lease,
  attemptStartTime: NOW - 60 * SECOND,
  activityTime: NOW - 5 * SECOND,
};
const cancelling = (changes: Partial<CancelRequest>): Partial<OperationRecord> => ({
  ...running,
  state: "CANCELLING",
  cancel: { ...cancel, ...changes },
});
const users = { used: 1, names: ["operations/holder"] };

const explained: readonly [
  what: string,
  record: Partial<OperationRecord>,
  facts: Partial<Omit<ExplainFacts, "detail">>,
  codes: string[],
  summary: RegExp,
  inSeconds?: number | null,
][] = [
  ["one that may start", {}, {}, ["READY"], /^It has not started: a worker has room/, null],
  [
    "one that nobody serves",
    {},
    { workers: [] },
    ["NO_WORKER"],
    /no worker serves the type ocr.recognize\.$/,
  ],
  [
    "one whose workers are away",
    {},
    { workers: [{ ...worker, connected: false, free: 0 }] },
    ["NO_WORKER"],
    /ses1 is away/,
  ],
  [
    "one whose workers are busy",
    {},
    { workers: [{ ...worker, free: 0 }] },
    ["ALL_SLOTS_BUSY"],
    /2 slots of 1 worker/,
  ],
  [
    "one whose worker waits for a handler that did not stop",
    {},
    { workers: [{ ...worker, free: 0, stuck: 1 }] },
    ["SESSION_STUCK"],
    /worker w \(ses1\) gets no new work until 1 handler/,
  ],
  [
    "one with a start delay",
    { startAfter: NOW + 5 * SECOND },
    {},
    ["NOT_DUE"],
    /its start delay has 5 s left/,
    5,
  ],
  [
    "one between attempts",
    { attempt: 1, startAfter: NOW + SECOND },
    {},
    ["BACKOFF"],
    /after attempt 1 it waits 1 s/,
    1,
  ],
  [
    "one that is reserved",
    { lease: { ...lease, begun: false } },
    {},
    ["RESERVED"],
    /worker w \(ses1\) has it in hand/,
  ],
  [
    "one whose last attempt may still run",
    { attempt: 1, held: lease, startAfter: NOW + 9 * SECOND },
    {},
    ["HELD", "BACKOFF"],
    /attempt 1 was taken away from worker w/,
    9,
  ],
  [
    "one whose key is taken",
    { concurrencyKey: "k", policy: { ...policy, keyLimit: 1 } },
    { keyUsers: users },
    ["KEY_BUSY"],
    /the concurrency key "k" takes 1 at once, and 1 operation has it/,
  ],
  [
    "one whose key has room",
    { concurrencyKey: "k", policy: { ...policy, keyLimit: 2 } },
    { keyUsers: users },
    ["READY"],
    /a worker has room/,
  ],
  [
    "one whose type is full",
    { policy: { ...policy, typeLimit: 1 } },
    { typeUsers: users },
    ["TYPE_LIMIT"],
    /takes 1 at once/,
  ],
  [
    "one that runs",
    running,
    {},
    ["HANDLER_RUNNING"],
    /attempt 1 of 2 runs on worker w \(ses1\) for 1 min, its last progress was 5 s ago/,
    3540,
  ],
  [
    "one whose worker is silent",
    running,
    { workers: [{ ...worker, connected: false, heartbeatTime: NOW - 10 * SECOND }] },
    ["WORKER_SILENT", "HANDLER_RUNNING"],
    /was last heard 10 s ago and is not connected/,
    5,
  ],
  [
    "one that may stall",
    { ...running, policy: { ...policy, stallTimeoutMs: 8000 } },
    {},
    ["HANDLER_RUNNING"],
    /runs on/,
    3,
  ],
  ["a cancel that nobody has heard of", cancelling({}), {}, ["CANCEL_REQUESTED"], /requested 3 s ago/, 7],
  [
    "a critical section",
    cancelling({ deliverTime: NOW, deferredBy: "the books are open" }),
    {},
    ["CRITICAL_SECTION"],
    /in the critical section "the books are open"/,
    7,
  ],
  [
    "a handler that stops",
    cancelling({ acknowledgeTime: NOW - SECOND }),
    {},
    ["HANDLER_STOPPING"],
    /was told 1 s ago/,
    7,
  ],
  [
    "a handler that ignores the signal",
    cancelling({ acknowledgeTime: NOW - 9 * SECOND, graceEndTime: NOW - SECOND }),
    {},
    ["IGNORING_SIGNAL"],
    /has been ignoring the signal for 9 s/,
    12,
  ],
  [
    "force that takes its time",
    cancelling({ acknowledgeTime: NOW - 9 * SECOND, graceEndTime: NOW - SECOND, escalateTime: NOW - SECOND }),
    {},
    ["ESCALATED"],
    /using force for 1 s/,
    12,
  ],
  [
    "one that waits for its children",
    {
      ...cancelling({ stopTime: NOW }),
      lease: null,
      children: { started: 2, awaited: 1, unconfirmed: 0, stopMs: 0 },
    },
    {
      children: [
        {
          service: "default",
          name: "operations/c",
          type: "t",
          state: "RUNNING",
          policy: "cancel",
          detached: false,
        },
      ],
    },
    ["CHILDREN"],
    /^It is being cancelled: 1 child is not done\.$/,
    12,
  ],
  [
    "one that was cancelled",
    {
      state: "CANCELLED",
      attempt: 1,
      doneTime: NOW - SECOND,
      cancel: { ...cancel, evidence: "HANDLER_STOPPED" },
    },
    {},
    ["CANCELLED"],
    /cancelled by user:ada \(wrong file\) 2 s after the request; the evidence is HANDLER_STOPPED/,
    86_399,
  ],
  [
    "one of which nobody knows",
    { state: "FAILED", attempt: 1, doneTime: NOW, held: lease, cancel },
    {},
    ["FAILED", "UNCONFIRMED"],
    /it failed in attempt 1 of 2/,
    null,
  ],
  [
    "one whose stop was confirmed after its end",
    {
      ...{ state: "FAILED", attempt: 1, doneTime: NOW },
      cancel: { ...cancel, evidence: "HANDLER_STOPPED", stopConfirmedTime: NOW },
    },
    {},
    ["FAILED", "UNCONFIRMED"],
    /\(it was confirmed later that it has stopped\)\.$/,
  ],
  [
    "one that was superseded",
    { state: "CANCELLED", doneTime: NOW, cancel: { ...cancel, cause: "superseded", reason: "" } },
    {},
    ["CANCELLED"],
    /cancelled by a newer operation with its supersede key/,
  ],
];

for (const [what, record, facts, codes, summary, inSeconds] of explained) {
  test(`${what}: ${codes.join(", ")}`, () => {
    const one = told(record, facts);
    assert.deepEqual(one.codes, codes);
    assert.match(one.summary, summary);
    if (inSeconds !== undefined) assert.equal(one.inSeconds, inSeconds);
    assert.notEqual(one.next, "");
  });
}

test("what lets a pending operation start is named", () => {
  assert.match(told({}, { workers: [] }).next, /when a worker that serves the type ocr\.recognize connects$/);
  assert.match(told({}, { workers: [{ ...worker, free: 0 }] }).next, /when a slot is free$/);
  assert.equal(told({}).next, "it starts in a moment");
});

const spans: readonly [number, string][] = [
  [0, "0 ms"],
  [999, "999 ms"],
  [1240, "1.2 s"],
  [59_400, "59 s"],
  [60_000, "1 min"],
  [125_000, "2 min 5 s"],
  [7_800_000, "2 h 10 min"],
  [90_000_000, "1 d 1 h"],
];

for (const [ms, text] of spans) {
  test(`${ms} ms are told as ${text}`, () => {
    assert.equal(spanText(ms), text);
  });
}

let world: NativeWorld;
before(async () => {
  world = await startNativeWorld();
});
after(() => world.close());

const codesOf = (explanation: JsonObject): unknown[] =>
  (explanation["reasons"] as JsonObject[]).map(({ code }) => code);

test("on a server: who has the key is named", async () => {
  const keyed = { concurrencyKey: "disk-1", keyLimit: 1 };
  const holder = await world.startRunning("test.hold", keyed);
  const waiting = await world.start("test.hold", keyed);
  const explanation = await world.ok(`${waiting}:explain`);
  assert.deepEqual(codesOf(explanation), ["KEY_BUSY"]);
  assert.deepEqual((explanation["reasons"] as JsonObject[])[0]?.["about"], [holder]);
  assert.equal((explanation["operation"] as JsonObject)["concurrencyKey"], "disk-1");
  world.finish(holder);
});

test("on a server: a critical section is named", async () => {
  const name = await world.startRunning("test.critical");
  await world.ok(`${name}:cancel`, {});
  const explanation = await eventually("the section holds the abort back", async () => {
    const one = await world.ok(`${name}:explain`);
    return codesOf(one).includes("CRITICAL_SECTION") && one;
  });
  assert.match(String(explanation["summary"]), /in the critical section "the books are open"/);
  world.finish(name);
});

test("on a server: no worker, a start delay", async () => {
  assert.deepEqual(codesOf(await world.ok(`${await world.start("test.parked")}:explain`)), ["NO_WORKER"]);
  const delayed = await world.start("test.hold", { startDelay: "3600s" });
  const explanation = await world.ok(`${delayed}:explain`);
  assert.deepEqual(codesOf(explanation), ["NOT_DUE"]);
  assert.equal(explanation["nextTime"], (await world.ok(delayed))["notBefore"]);
});
