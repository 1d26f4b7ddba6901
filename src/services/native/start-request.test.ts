// Every limit of a start request: the last value that is taken, and the first that is not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { RpcError } from "../../base/rpc-error.ts";
import { StartOperationRequestSchema } from "../../protocol/gen/belay/v1/operations_pb.ts";
import { structValue } from "../../protocol/struct.ts";
import { defaultService } from "../builtin/default.ts";
import type { CallContext } from "../method.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { timestampOf } from "../wire-time.ts";
import { readStartRequest, type StartRules } from "./start-request.ts";

const NOW = 1_800_000_000_000_000;
const SECOND = 1_000_000;
const DAY = 86_400n;

const context: CallContext = {
  requestId: "r",
  principal: { id: "user:ada", tenant: "acme", scopes: null, grants: null },
  service: "default",
  transport: "rest",
  authority: undefined,
  deadlineMs: Number.POSITIVE_INFINITY,
  onCallerGone: () => {},
  header: () => undefined,
  setHeader: () => {},
  setTrailer: () => {},
};

const rules: StartRules = {
  declaration: defaultService,
  clock: { now: () => NOW },
  isStartable: (type) => ["a.b", "a.c", letters(63)].includes(type),
  types: () => ["a.b", "a.c", letters(63)],
};

type Init = MessageInitShape<typeof StartOperationRequestSchema>;

function read(
  init: Init,
  declaration: ServiceDeclaration = defaultService,
  caller: CallContext = context,
): ReturnType<typeof readStartRequest> {
  const request = create(StartOperationRequestSchema, { type: "a.b", ...init });
  return readStartRequest(request, caller, { ...rules, declaration });
}

const letters = (count: number): string => "x".repeat(count);
const labels = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, "v"]));

function nested(depth: number): Init["payload"] {
  let value = {};
  for (let level = 1; level < depth; level++) value = { a: value };
  return value;
}

const accepted: readonly [string, Init][] = [
  ["the shortest request", {}],
  ["a type of 63 characters", { type: letters(63) }],
  ["a request id of 128 characters", { requestId: letters(128) }],
  ["a description of 256 characters, counted as people count", { description: "🦀".repeat(256) }],
  ["64 labels", { labels: labels(64) }],
  ["a label key of 63 and a value of 63 characters", { labels: { [`a${letters(62)}`]: letters(63) } }],
  ["a payload 100 levels deep", { payload: nested(100) }],
  ["a payload of 10,000 elements", { payload: { list: Array.from({ length: 9999 }, () => 0) } }],
  ["a payload of 256 KiB", { payload: { a: letters(262_144 - 8) } }],
  ["a grace of 600 s", { cancelPolicy: { grace: { seconds: 600n } } }],
  ["a grace of 0", { cancelPolicy: { grace: {} } }],
  ["a deadline in a microsecond", { deadline: timestampOf(NOW + 1) }],
  ["a deadline in 3650 days", { deadline: timestampOf(NOW + 3650 * 86_400 * SECOND) }],
  ["a parent of three pairs", { parent: "projects/p/locations/l/things/t" }],
  ["the lowest priority", { priority: -100 }],
  ["the highest priority", { priority: 100 }],
  ["a start delay of 365 days", { startDelay: { seconds: 365n * DAY } }],
  ["keys of 256 characters", { concurrencyKey: letters(256), supersedeKey: letters(256) }],
  ["a key limit of 10,000", { concurrencyKey: "k", keyLimit: 10_000 }],
  ["an unwatched timeout of 1 s", { unwatchedTimeout: { seconds: 1n } }],
  ["an unwatched timeout of 30 days", { unwatchedTimeout: { seconds: 30n * DAY } }],
  ["100 attempts", { runPolicy: { maxAttempts: 100 } }],
  [
    "a backoff of 1 h up to 1 d",
    { runPolicy: { backoff: { seconds: 3600n }, backoffMax: { seconds: DAY } } },
  ],
  ["no backoff and no stall timeout", { runPolicy: { backoff: {}, backoffMax: {}, stallTimeout: {} } }],
  ["an attempt timeout of 100 ms", { runPolicy: { attemptTimeout: { nanos: 100_000_000 } } }],
  [
    "timeouts of 7 d",
    { runPolicy: { attemptTimeout: { seconds: 7n * DAY }, stallTimeout: { seconds: 7n * DAY } } },
  ],
  ["a retention of 3650 d", { runPolicy: { retention: { seconds: 3650n * DAY } } }],
];

for (const [what, init] of accepted) {
  test(`${what} is taken`, () => {
    read(init);
  });
}

const refused: readonly [string, Init, string, string?][] = [
  ["no type", { type: "" }, "INVALID_FIELD", "type"],
  ["a type of 64 characters", { type: letters(64) }, "INVALID_FIELD", "type"],
  ["a type with a space", { type: "a b" }, "INVALID_FIELD", "type"],
  ["a type with a trailing dot", { type: "a." }, "INVALID_FIELD", "type"],
  ["a request id of 129 characters", { requestId: letters(129) }, "INVALID_FIELD", "request_id"],
  ["a request id with a space", { requestId: "a b" }, "INVALID_FIELD", "request_id"],
  ["a request id that is no ASCII", { requestId: "ä" }, "INVALID_FIELD", "request_id"],
  ["a description of 257 characters", { description: letters(257) }, "INVALID_FIELD", "description"],
  ["a description with a line feed", { description: "a\nb" }, "INVALID_FIELD", "description"],
  ["65 labels", { labels: labels(65) }, "INVALID_FIELD", "labels"],
  ["a label key that begins with a digit", { labels: { "1a": "" } }, "INVALID_FIELD", "labels"],
  ["a label value of 64 characters", { labels: { a: letters(64) } }, "INVALID_FIELD", "labels.a"],
  ["a label key __proto__", { labels: JSON.parse('{"__proto__": "x"}') }, "INVALID_FIELD", "labels"],
  ["a payload 101 levels deep", { payload: nested(101) }, "PAYLOAD_TOO_DEEP"],
  [
    "a payload of 10,001 elements",
    { payload: { list: Array.from({ length: 10_000 }, () => 0) } },
    "PAYLOAD_TOO_MANY_KEYS",
  ],
  ["a payload one byte above 256 KiB", { payload: { a: letters(262_144 - 7) } }, "PAYLOAD_TOO_LARGE"],
  // A protobuf client can send what JSON cannot carry.
  ["a payload with NaN", { payload: { a: Number.NaN } }, "INVALID_FIELD", "payload"],
  [
    "a grace above 600 s",
    { cancelPolicy: { grace: { seconds: 600n, nanos: 1 } } },
    "INVALID_FIELD",
    "cancel_policy.grace",
  ],
  ["a negative grace", { cancelPolicy: { grace: { seconds: -1n } } }, "INVALID_FIELD", "cancel_policy.grace"],
  ["a deadline that is now", { deadline: timestampOf(NOW) }, "INVALID_FIELD", "deadline"],
  [
    "a deadline after 3650 days",
    { deadline: timestampOf(NOW + 3651 * 86_400 * SECOND) },
    "INVALID_FIELD",
    "deadline",
  ],
  ["a parent of one segment", { parent: "projects" }, "INVALID_FIELD", "parent"],
  ["a parent of four pairs", { parent: "a/b/c/d/e/f/g/h" }, "INVALID_FIELD", "parent"],
  ["a parent with a line feed", { parent: "projects/a\nb" }, "INVALID_FIELD", "parent"],
  ["a priority of 101", { priority: 101 }, "INVALID_FIELD", "priority"],
  ["a priority of -101", { priority: -101 }, "INVALID_FIELD", "priority"],
  [
    "a start delay after 365 days",
    { startDelay: { seconds: 365n * DAY, nanos: 1_000_000 } },
    "INVALID_FIELD",
    "start_delay",
  ],
  ["a negative start delay", { startDelay: { nanos: -1 } }, "INVALID_FIELD", "start_delay"],
  [
    "a concurrency key of 257 characters",
    { concurrencyKey: letters(257) },
    "INVALID_FIELD",
    "concurrency_key",
  ],
  ["a supersede key with a line feed", { supersedeKey: "a\nb" }, "INVALID_FIELD", "supersede_key"],
  ["a key limit of 0", { concurrencyKey: "k", keyLimit: 0 }, "INVALID_FIELD", "key_limit"],
  ["a key limit of 10,001", { concurrencyKey: "k", keyLimit: 10_001 }, "INVALID_FIELD", "key_limit"],
  ["a key limit without a key", { keyLimit: 1 }, "INVALID_FIELD", "key_limit"],
  [
    "an unwatched timeout below 1 s",
    { unwatchedTimeout: { nanos: 999_000_000 } },
    "INVALID_FIELD",
    "unwatched_timeout",
  ],
  ["no attempt", { runPolicy: { maxAttempts: 0 } }, "INVALID_FIELD", "run_policy.max_attempts"],
  [
    "a backoff above 1 h",
    { runPolicy: { backoff: { seconds: 3601n } } },
    "INVALID_FIELD",
    "run_policy.backoff",
  ],
  [
    "a longest backoff above 1 d",
    { runPolicy: { backoffMax: { seconds: DAY + 1n } } },
    "INVALID_FIELD",
    "run_policy.backoff_max",
  ],
  [
    "an attempt timeout below 100 ms",
    { runPolicy: { attemptTimeout: {} } },
    "INVALID_FIELD",
    "run_policy.attempt_timeout",
  ],
  [
    "a stall timeout above 7 d",
    { runPolicy: { stallTimeout: { seconds: 7n * DAY + 1n } } },
    "INVALID_FIELD",
    "run_policy.stall_timeout",
  ],
  ["a retention below 1 s", { runPolicy: { retention: {} } }, "INVALID_FIELD", "run_policy.retention"],
  [
    "a deadline that comes before the start",
    { deadline: timestampOf(NOW + 2 * SECOND), startDelay: { seconds: 2n } },
    "INVALID_FIELD",
    "deadline",
  ],
];

for (const [what, init, reason, field] of refused) {
  test(`${what} is refused with ${reason}`, () => {
    assert.throws(
      () => read(init),
      (error) =>
        error instanceof RpcError &&
        error.reason === reason &&
        (field === undefined || error.fieldViolations[0]?.field === field),
    );
  });
}

test("the request carries who asks, where it came in, and the payload as a Struct", () => {
  const request = read({ payload: { pages: [1, 2] }, requestId: "r1", labels: { team: "a" } });
  assert.deepEqual(
    [request.service, request.tenant, request.createdBy, request.origin, request.method, request.metadata],
    ["default", "acme", "user:ada", "native/rest", "belay.v1.StartOperation", null],
  );
  assert.deepEqual(request.request && structValue(request.request), { pages: [1, 2] });
});

test("an absent cancel policy leaves the type's own", () => {
  const request = read({});
  assert.equal("cancellable" in request || "graceMs" in request, false);
  const chosen = read({ cancelPolicy: { cancellable: false, grace: { nanos: 1_500_000 } } });
  assert.deepEqual([chosen.cancellable, chosen.graceMs], [false, 2]);
});

test("what the service says cannot be cancelled starts so, whatever the request says", () => {
  const init: Init = { cancelPolicy: { cancellable: true } };
  assert.equal(read(init).cancellable, true);
  assert.equal(read(init, { ...defaultService, cancellable: false }).cancellable, false);
  assert.equal(read(init, { ...defaultService, uncancellableTypes: ["a.b"] }).cancellable, false);
  assert.equal(read(init, { ...defaultService, uncancellableTypes: ["a.c"] }).cancellable, true);
});

test("a parent that does not fit the service is refused with those that do", () => {
  const declaration = { ...defaultService, parents: ["", "projects/*"] };
  assert.equal(read({ parent: "projects/p" }, declaration).parent, "projects/p");
  assert.throws(() => read({ parent: "folders/f" }, declaration), {
    reason: "INVALID_FIELD",
    message: "parent: must be of the form empty or projects/*",
  });
});

test("a caller who may not start under the parent is told so first, whatever else is wrong", () => {
  const caller = { ...context, principal: { ...context.principal, grants: ["projects/q"] } };
  for (const parent of ["projects/p", "projects/q2", "", "no parent"]) {
    assert.throws(() => read({ parent, type: "A!" }, defaultService, caller), {
      reason: "IAM_PERMISSION_DENIED",
      parameters: { permission: "operations.start", resource: parent || "operations" },
    });
  }
  assert.equal(read({ parent: "projects/q" }, defaultService, caller).parent, "projects/q");
});

test("the digest does not depend on the order of keys, nor on the request id", () => {
  const one = read({ requestId: "r1", payload: { a: 1, b: { c: 2, d: 3 } }, labels: { x: "1", y: "2" } });
  const two = read({ requestId: "r2", payload: { b: { d: 3, c: 2 }, a: 1 }, labels: { y: "2", x: "1" } });
  assert.equal(one.requestDigest, two.requestDigest);
  assert.notEqual(one.requestDigest, "");
});

const base: Init = { requestId: "r" };
const different: readonly Init[] = [
  { type: "a.c" },
  { payload: { a: 1 } },
  { payload: { a: "1" } },
  { payload: { a: [1] } },
  { payload: { a: null } },
  { labels: { a: "1" } },
  { description: "d" },
  { parent: "projects/p" },
  { deadline: timestampOf(NOW + SECOND) },
  { cancelPolicy: { cancellable: true } },
  { cancelPolicy: { cancellable: false } },
  { cancelPolicy: { grace: {} } },
  { priority: 1 },
  { startDelay: {} },
  { startDelay: { seconds: 1n } },
  { concurrencyKey: "k" },
  { concurrencyKey: "k", keyLimit: 1 },
  { supersedeKey: "k" },
  { unwatchedTimeout: { seconds: 1n } },
  { runPolicy: { maxAttempts: 2 } },
  { runPolicy: { backoff: {} } },
  { runPolicy: { backoffMax: {} } },
  { runPolicy: { attemptTimeout: { seconds: 1n } } },
  { runPolicy: { stallTimeout: {} } },
  { runPolicy: { retention: { seconds: 1n } } },
];

test("every field that a caller gives changes the digest", () => {
  const digests = [base, ...different.map((init) => ({ ...base, ...init }) as Init)].map(
    (init) => read(init).requestDigest,
  );
  assert.equal(new Set(digests).size, digests.length);
});

test("without a request id no digest is made", () => {
  assert.equal(read({ payload: { a: 1 } }).requestDigest, "");
});

test("a request that says nothing new has the digest that it had before there was anything new to say", () => {
  // Request ids live as long as their operations: a server that was brought up to date must know them again.
  const request = read({ requestId: "r", payload: { a: 1 }, labels: { team: "a" }, runPolicy: {} });
  assert.equal(request.requestDigest, "dERG_Nps3PL6CHsAPPeHquPS1c3HUFtUCRreuiFLmCk");
});

test("the server's own types are not started by type, and are not named among those that are", () => {
  const open = { ...rules, isStartable: () => true, types: () => ["a.b", "belay.cancel-operations"] };
  const request = create(StartOperationRequestSchema, { type: "belay.cancel-operations" });
  assert.throws(() => readStartRequest(request, context, open), {
    reason: "OPERATION_TYPE_UNKNOWN",
    parameters: { type: "belay.cancel-operations", known: "a.b" },
  });
});

test("the error names the value and the limit", () => {
  assert.throws(() => read({ priority: 101 }), { message: "priority: is 101; it takes -100 to 100" });
  const retention = { runPolicy: { retention: { seconds: 3651n * DAY } } };
  assert.throws(() => read(retention), {
    message: "run_policy.retention: is 315446400 s; at most 315360000 s are taken",
  });
});

test("what is said of its run reaches the engine in milliseconds", () => {
  const { startDelayMs, priority, concurrencyKey, keyLimit, supersedeKey, unwatchedMs, runPolicy } = read({
    startDelay: { seconds: 2n },
    priority: 7,
    concurrencyKey: "c",
    keyLimit: 3,
    supersedeKey: "s",
    unwatchedTimeout: { seconds: 60n },
    runPolicy: { maxAttempts: 3, backoff: { nanos: 1_500_000 } },
  });
  assert.deepEqual(
    { startDelayMs, priority, concurrencyKey, keyLimit, supersedeKey, unwatchedMs, runPolicy },
    {
      startDelayMs: 2000,
      priority: 7,
      concurrencyKey: "c",
      keyLimit: 3,
      supersedeKey: "s",
      unwatchedMs: 60_000,
      runPolicy: { maxAttempts: 3, backoffMs: 2 },
    },
  );
});
