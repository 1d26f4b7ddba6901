// belay.v1.Workers as a worker of any language meets it: the messages on the wire, in their order, and what becomes of a
// worker that breaks the rules.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { anyPack, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import type { OperationKey, StoredOperation } from "../../engine/operation.ts";
import { ChildPolicy } from "../../protocol/gen/belay/v1/policies_pb.ts";
import {
  Ack_Outcome,
  type AttemptKey,
  CancelNotice_Cause,
  Evidence,
  Mechanism,
  Report_CancelPhase_Phase as Phase,
  SessionEnded_Cause,
} from "../../protocol/gen/belay/v1/workers_pb.ts";
import { decodeStruct, structPayload } from "../../protocol/struct.ts";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { toAny, toDuration } from "../../protocol/worker-messages.ts";
import { connectRawWorker, type HelloInit, RawWorker, type ReportInit } from "../../testing/raw-worker.ts";
import { startTestServer, type TestServer } from "../../testing/test-server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const connected = (changes: HelloInit = {}): Promise<RawWorker & { session: string }> =>
  connectRawWorker(server.address, changes);

let started = 0;
async function start(type: string, payload: JsonObject = {}): Promise<OperationKey> {
  const { operation } = await server.engine.start({
    ...{ service: "default", tenant: "default", idPrefix: "opr", parent: "", type, createdBy: "user:ada" },
    ...{ origin: "test", description: "", labels: {}, request: structPayload(payload), metadata: null },
    ...{ requestId: `start-${++started}`, requestDigest: "", method: "test", deadline: null },
  });
  const { service, tenant, name } = operation.record;
  return { service, tenant, name };
}

const end = (key: OperationKey): Promise<StoredOperation> =>
  server.engine.wait(key, { timeoutMs: 8_000, onCallerGone() {} });

const requestCancel = (key: OperationKey): Promise<unknown> =>
  server.engine.cancel({ key, requestedBy: "user:bob", reason: "enough", origin: "test", graceMs: null });

test("a stream begins with a hello, and has one", async () => {
  const early = new RawWorker(server.address);
  early.say({ case: "heartbeat", value: { sequence: 1n } });
  assert.match((await early.ended)?.details ?? "", /its first message is heartbeat, not hello/);
  const twice = await connected();
  twice.hello();
  assert.match((await twice.ended)?.details ?? "", /a second hello/);
  const garbage = new RawWorker(server.address);
  garbage.call.write(Buffer.from([0xff, 0xff, 0xff]));
  assert.equal((await garbage.ended)?.code, status.INVALID_ARGUMENT);
});

test("the welcome says the session, its lease, and how often to beat; types are declared with their policies", async () => {
  const worker = new RawWorker(server.address);
  worker.hello({
    types: [{ type: "test.declared", policy: { grace: toDuration(7_000), run: { maxAttempts: 4 } } }],
    lease: toDuration(6_000),
  });
  const welcome = await worker.next("welcome");
  assert.match(welcome.session, /^ses/);
  assert.deepEqual(
    [welcome.lease?.seconds, welcome.heartbeatInterval?.seconds, welcome.resumed],
    [6n, 2n, false],
  );
  const policy = server.engine.policyOf("test.declared");
  assert.deepEqual([policy?.cancel.graceMs, policy?.maxAttempts, policy?.cancel.killMs], [7_000, 4, 5_000]);
  await worker.bye();
});

test("an assignment is reserved until the worker begins it, and counts as an attempt from then on", async () => {
  const worker = await connected();
  const key = await start("test.raw", { page: 3 });
  const assignment = await worker.next("assignment");
  assert.equal((await server.engine.get(key)).record.state, "PENDING");
  assert.equal(assignment.attemptNumber, 1);
  assert.equal(assignment.createdBy, "user:ada");
  assert.deepEqual(decodeStruct(assignment.request?.value ?? new Uint8Array(0)), { page: 3 });
  const attempt = assignment.attempt as AttemptKey;
  assert.match(
    (await worker.report(attempt, { case: "progress", value: { percent: 1 } }))[1],
    /report `started` first/,
  );
  for (let repeated = 0; repeated < 2; repeated++) {
    assert.deepEqual(await worker.report(attempt, { case: "started", value: {} }), [
      Ack_Outcome.ACCEPTED,
      "",
    ]);
  }
  assert.equal((await server.engine.get(key)).record.attempt, 1);
  const response = toAny(structPayload({ done: true }));
  assert.equal(
    (await worker.report(attempt, { case: "completed", value: { response } }))[0],
    Ack_Outcome.ACCEPTED,
  );
  assert.equal((await end(key)).record.state, "SUCCEEDED");
  // Its answer may have been lost: the same result again is as good as the first (S12).
  assert.equal(
    (await worker.report(attempt, { case: "completed", value: { response } }))[0],
    Ack_Outcome.ACCEPTED,
  );
  const other = toAny(structPayload({ done: false }));
  assert.notEqual(
    (await worker.report(attempt, { case: "completed", value: { response: other } }))[0],
    Ack_Outcome.ACCEPTED,
  );
  await worker.bye();
});

test("what is returned unbegun goes to the next worker, and no attempt is counted", async () => {
  const worker = await connected();
  const key = await start("test.raw");
  const { attempt } = await worker.next("assignment");
  assert.equal(
    (await worker.report(attempt as AttemptKey, { case: "returned", value: {} }))[0],
    Ack_Outcome.ACCEPTED,
  );
  worker.say({ case: "slotsFreed", value: { count: 1 } });
  const again = await worker.begun();
  assert.equal(again.attemptNumber, 1);
  assert.ok(again.attempt.leaseToken > (attempt as AttemptKey).leaseToken);
  const stale = await worker.report(attempt as AttemptKey, { case: "completed", value: {} });
  assert.equal(stale[0], Ack_Outcome.LEASE_LOST);
  await worker.report(again.attempt, { case: "completed", value: {} });
  assert.equal((await end(key)).record.state, "SUCCEEDED");
  await worker.bye();
});

const wrongReports: readonly (readonly [string, ReportInit, RegExp])[] = [
  ["that says nothing", { case: undefined }, /a report says nothing/],
  [
    "of 101 percent",
    { case: "progress", value: { percent: 101 } },
    /progress\.percent: is 101; takes 0 to 100/,
  ],
  [
    "with a message of 1,025 characters",
    { case: "progress", value: { percent: 1, message: "x".repeat(1025) } },
    /progress\.message: has 1025 characters/,
  ],
  ["of no known phase", { case: "cancelPhase", value: {} }, /cancel_phase\.phase/],
  [
    "of an end without evidence",
    { case: "stopped", value: { mechanism: Mechanism.NONE } },
    /stopped\.evidence/,
  ],
  [
    "of a failure without a mechanism",
    { case: "failed", value: { evidence: Evidence.HANDLER_STOPPED } },
    /failed\.mechanism/,
  ],
  ["with a checkpoint of 300 KB", { case: "checkpoint", value: { text: "x".repeat(300_000) } }, /checkpoint/],
  [
    "with a response of another type",
    {
      case: "completed",
      value: { response: anyPack(StringValueSchema, create(StringValueSchema, { value: "x" })) },
    },
    /is a google\.protobuf\.StringValue; test\.raw answers google\.protobuf\.Struct/,
  ],
];
test("a report that is wrong in itself is refused with its error, and changes nothing", async () => {
  const worker = await connected();
  const key = await start("test.raw");
  const { attempt } = await worker.begun();
  for (const [what, report, message] of wrongReports) {
    const [outcome, text] = await worker.report(attempt, report);
    assert.equal(outcome, Ack_Outcome.REFUSED, what);
    assert.match(text, message, what);
  }
  assert.equal((await server.engine.get(key)).record.state, "RUNNING");
  await worker.report(attempt, { case: "completed", value: {} });
  await worker.bye();
});

test("a cancel is pushed at once, and every heartbeat's answer repeats it while it is open", async () => {
  const worker = await connected();
  const key = await start("test.raw");
  const { attempt } = await worker.begun();
  await requestCancel(key);
  const notice = await worker.next("cancel");
  assert.deepEqual(
    [notice.cause, notice.reason, notice.requestedBy],
    [CancelNotice_Cause.CANCEL, "enough", "user:bob"],
  );
  assert.ok(Number(notice.grace?.seconds) >= 9);
  for (const sequence of [1n, 2n]) {
    worker.say({ case: "heartbeat", value: { sequence } });
    const reply = await worker.next("heartbeatReply");
    assert.equal(reply.sequence, sequence);
    assert.deepEqual(
      reply.cancels.map((cancel) => cancel.attempt?.name),
      [key.name],
    );
  }
  const stop = { evidence: Evidence.PROCESS_EXITED, mechanism: Mechanism.SIGTERM };
  assert.equal((await worker.report(attempt, { case: "stopped", value: stop }))[0], Ack_Outcome.ACCEPTED);
  const { record } = await end(key);
  assert.deepEqual([record.state, record.cancel?.evidence], ["CANCELLED", "PROCESS_EXITED"]);
  worker.say({ case: "heartbeat", value: { sequence: 3n } });
  assert.deepEqual((await worker.next("heartbeatReply")).cancels, []);
  await worker.bye();
});

test("steps of a cancel that are told with the stop are one change with it, each at its own time", async () => {
  const worker = await connected();
  const key = await start("test.raw");
  const { attempt } = await worker.begun();
  await requestCancel(key);
  await worker.next("cancel");
  const before = (await server.engine.get(key)).record;
  const steps = [
    { phase: Phase.DELIVERED, ago: toDuration(60_000) },
    { phase: Phase.ACKNOWLEDGED, detail: "told", ago: toDuration(0.25) },
  ];
  const stopped = { evidence: Evidence.HANDLER_STOPPED, mechanism: Mechanism.SIGNAL };
  const report = { case: "stopped", value: stopped } as const;
  assert.deepEqual(await worker.report(attempt, report, steps), [Ack_Outcome.ACCEPTED, ""]);
  assert.deepEqual(await worker.report(attempt, report, steps), [Ack_Outcome.ACCEPTED, ""]); // its answer was lost
  const { record } = await end(key);
  assert.equal(record.revision, before.revision + 1);
  const events = (await server.store.getReceipt(key))?.events ?? [];
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ["REQUESTED", "DELIVERED", "ACKNOWLEDGED", "STOPPED", "ENDED"],
  );
  const [requested, delivered, acknowledged, stop] = events.map(({ time }) => time);
  assert.equal(delivered, requested); // never before the request, whatever is said
  assert.equal(stop! - acknowledged!, 250);
  await worker.bye();
});

test("a report with steps that are none is refused", async () => {
  const worker = await connected();
  const key = await start("test.raw");
  const { attempt } = await worker.begun();
  const wrong = [
    [[{ phase: Phase.PHASE_UNSPECIFIED }], /steps\[0\]\.phase/],
    [[{ phase: Phase.DELIVERED, detail: "x".repeat(1025) }], /steps\[0\]\.detail: has 1025 characters/],
    [[{ phase: Phase.DELIVERED, ago: { seconds: -1n } }], /steps\[0\]\.ago: is -1000 ms/],
    [
      Array.from({ length: 33 }, () => ({ phase: Phase.DELIVERED })),
      /steps: has 33 entries; takes at most 32/,
    ],
  ] as const;
  for (const [steps, message] of wrong) {
    const [outcome, text] = await worker.report(attempt, { case: "completed", value: {} }, steps);
    assert.equal(outcome, Ack_Outcome.REFUSED);
    assert.match(text, message);
  }
  assert.equal((await server.engine.get(key)).record.state, "RUNNING");
  await worker.report(attempt, { case: "completed", value: {} });
  await worker.bye();
});

test("an operation that is cancelled before it begins is revoked, and its start is refused", async () => {
  const worker = await connected();
  const key = await start("test.raw");
  const { attempt } = await worker.next("assignment");
  await requestCancel(key);
  assert.equal((await worker.next("revoked")).attempt?.name, key.name);
  assert.notEqual(
    (await worker.report(attempt as AttemptKey, { case: "started", value: {} }))[0],
    Ack_Outcome.ACCEPTED,
  );
  const { record } = await end(key);
  assert.deepEqual([record.state, record.attempt], ["CANCELLED", 0]);
  await worker.bye();
});

test("a worker that comes back hears what it lost, and is given again what it does not have", async () => {
  const worker = await connected();
  const key = await start("test.raw");
  const { attempt } = await worker.begun();
  worker.call.cancel();
  await worker.ended;
  const back = new RawWorker(server.address);
  const foreign = { service: "default", tenant: "default", name: "operations/oprnone", leaseToken: 7n };
  back.hello({ session: worker.session, attempts: [foreign] });
  const welcome = await back.next("welcome");
  assert.equal(welcome.resumed, true);
  assert.deepEqual(
    welcome.lost.map(({ name }) => name),
    ["operations/oprnone"],
  );
  const again = await back.next("assignment");
  assert.deepEqual([again.attempt?.name, again.attempt?.leaseToken], [key.name, attempt.leaseToken]);
  assert.equal(again.attemptNumber, 1);
  await back.report(attempt, { case: "completed", value: {} });
  assert.equal((await end(key)).record.state, "SUCCEEDED");
  await back.bye();
});

test("a newer stream of a session takes the place of the older one", async () => {
  const worker = await connected();
  const second = new RawWorker(server.address);
  second.hello({ session: worker.session });
  await second.next("welcome");
  assert.equal((await worker.next("sessionEnded")).cause, SessionEnded_Cause.REPLACED);
  await worker.ended;
  await second.bye();
  const third = new RawWorker(server.address);
  third.hello({ session: worker.session });
  assert.equal((await third.next("sessionEnded")).cause, SessionEnded_Cause.UNKNOWN);
  await third.ended;
});

test("a worker that falls silent loses its lease, and is told so", async () => {
  const worker = await connected({ lease: toDuration(1_000), guarded: true });
  const key = await start("test.raw");
  await worker.begun();
  await requestCancel(key);
  assert.equal((await worker.next("sessionEnded")).cause, SessionEnded_Cause.EXPIRED);
  const { record } = await end(key);
  assert.deepEqual([record.state, record.cancel?.evidence], ["CANCELLED", "LEASE_EXPIRED"]);
});

test("a draining worker gets nothing more", async () => {
  const worker = await connected();
  worker.say({ case: "drain", value: {} });
  worker.say({ case: "heartbeat", value: { sequence: 1n } });
  await worker.next("heartbeatReply"); // what came before it was taken
  const key = await start("test.raw");
  const next = await connected();
  assert.equal((await next.begun()).attempt.name, key.name);
  assert.equal(
    worker.heard.some((message) => message.case === "assignment"),
    false,
  );
  await worker.bye();
  await next.bye();
});

test("an attempt starts a child in the name of its creator, and waits for it", async () => {
  const worker = await connected({ slots: 1 });
  const key = await start("test.raw");
  const parent = await worker.begun();
  const child = {
    requestNumber: 1n,
    parent: parent.attempt,
    type: "test.raw",
    requestId: "a",
    payload: { n: 1 },
  };
  worker.say({ case: "startChild", value: child });
  const answer = await worker.next("child");
  assert.equal(answer.refused, undefined);
  assert.equal(answer.done, false);
  worker.say({ case: "startChild", value: { ...child, requestNumber: 2n } });
  assert.equal((await worker.next("child")).name, answer.name, "the same id is the same child");
  const { record } = await server.engine.get({ ...key, name: answer.name });
  assert.equal(record.createdBy, "user:ada");
  for (const [change, reason] of [
    [{ type: "test.absent", requestId: "b" }, /test\.absent/],
    [{ requestId: "" }, /request_id/],
    [{ service: "nowhere", requestId: "c" }, /nowhere/],
    [{ parent: { ...parent.attempt, leaseToken: 99n }, requestId: "d" }, /attempt/],
  ] as const) {
    worker.say({ case: "startChild", value: { ...child, ...change, requestNumber: 3n } });
    assert.match((await worker.next("child")).refused?.message ?? "", reason);
  }
  const helper = await connected({ slots: 1 });
  const run = await helper.begun();
  worker.say({
    case: "waitChild",
    value: { requestNumber: 9n, parent: parent.attempt, name: answer.name, timeout: toDuration(8_000) },
  });
  await helper.report(run.attempt, {
    case: "completed",
    value: { response: toAny(structPayload({ n: 2 })) },
  });
  const waited = await worker.next("child");
  assert.deepEqual([waited.requestNumber, waited.done, waited.result.case], [9n, true, "response"]);
  await worker.report(parent.attempt, { case: "completed", value: {} });
  await helper.bye();
  await worker.bye();
});

test("two parents share a child although each has its own policy for it; another input is refused", async () => {
  const worker = await connected({ slots: 2 });
  await start("test.raw");
  await start("test.raw");
  const [one, two] = [await worker.begun(), await worker.begun()];
  const child = { type: "test.raw", requestId: "both", shared: true, payload: { n: 1 } };
  const say = async (change: object): Promise<{ name: string; refused: string | undefined }> => {
    worker.say({ case: "startChild", value: { ...child, requestNumber: 1n, ...change } });
    const { name, refused } = await worker.next("child");
    return { name, refused: refused?.message };
  };
  const first = await say({ parent: one.attempt, policy: ChildPolicy.CANCEL });
  const joined = await say({ parent: two.attempt, policy: ChildPolicy.ABANDON });
  assert.deepEqual([first.refused, joined], [undefined, first]);
  assert.match(
    (await say({ parent: two.attempt, payload: { n: 2 } })).refused ?? "",
    /request id|request_id/,
  );
  const key = { service: "default", tenant: "default", name: first.name };
  const { parents } = (await server.engine.get(key)).record;
  assert.deepEqual(
    parents.map(({ policy }) => policy),
    ["cancel", "abandon"],
  );
  await worker.bye();
});

// The last one: it ends the server.
test("a server that stops tells its workers, and does not wait for them", async () => {
  const worker = await connected();
  await start("test.raw");
  await worker.begun();
  const beganAt = performance.now();
  await server.close({ graceMs: 10_000 });
  assert.ok(performance.now() - beganAt < 8_000);
  assert.ok(await worker.next("drain"));
  assert.equal((await worker.ended)?.code, status.UNAVAILABLE);
});
