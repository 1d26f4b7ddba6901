import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, fromJson, type JsonObject, toBinary, toJson } from "@bufbuild/protobuf";
import type { OperationRecord, Payload, StoredOperation } from "../../engine/operation.ts";
import { structPayload } from "../../protocol/struct.ts";
import { typeUrlOf } from "../../protocol/typed-payload.ts";
import { storedOperation } from "../../testing/stored-operation.ts";
import { projectMetadata } from "./operation-metadata.ts";
import { diskDeclaration, fixtureMessage, shopDeclaration } from "./shop-service.fixture.ts";

const orderMetadata = fixtureMessage("OrderMetadata");
const shop = shopDeclaration({ metadataType: "shop.v1.OrderMetadata" });

function stored(changes: Partial<OperationRecord>, metadata: Payload | null = null): StoredOperation {
  return { ...storedOperation(changes), metadata };
}

function shownJson(operation: StoredOperation): unknown {
  const payload = projectMetadata(operation, shop);
  assert.ok(payload);
  assert.equal(payload.typeUrl, "type.googleapis.com/shop.v1.OrderMetadata");
  return toJson(orderMetadata, fromBinary(orderMetadata, payload.bytes));
}

function orderPayload(json: JsonObject): Payload {
  return { typeUrl: typeUrlOf(orderMetadata), bytes: toBinary(orderMetadata, fromJson(orderMetadata, json)) };
}

const createTime = "2027-01-15T08:00:00Z";
const updateTime = "2027-01-15T08:00:00.000001Z";

test("a pending operation shows its times and its state", () => {
  assert.deepEqual(shownJson(stored({})), { createTime, updateTime, state: "PENDING" });
});

test("progress, message and start are the attempt's; a state that the type lacks is left out", () => {
  const running = stored({
    state: "CANCELLING",
    attemptStartTime: 1_800_000_001_000_000,
    progress: { percent: 41.9, message: "packing" },
    cancel: { cause: "cancel" } as OperationRecord["cancel"],
  });
  assert.deepEqual(shownJson(running), {
    createTime,
    updateTime,
    startTime: "2027-01-15T08:00:01Z",
    progressPercent: 41,
    statusMessage: "packing",
    requestedCancellation: true,
  });
});

test("a deadline is no requested cancellation, and success is 100 percent", () => {
  const cancel = { cause: "deadline" } as OperationRecord["cancel"];
  const done = stored({ state: "SUCCEEDED", doneTime: 1_800_000_002_000_000, cancel });
  assert.deepEqual(shownJson(done), {
    createTime,
    updateTime,
    endTime: "2027-01-15T08:00:02Z",
    progressPercent: 100,
    state: "SUCCEEDED",
  });
});

for (const cause of ["cancel", "parent", "superseded", "unwatched"] as const) {
  test(`a cancel by ${cause} is a requested cancellation`, () => {
    const cancel = { cause } as OperationRecord["cancel"];
    const shown = shownJson(stored({ state: "CANCELLING", cancel })) as JsonObject;
    assert.equal(shown["requestedCancellation"], true);
  });
}

const unseen: readonly [what: string, changes: Partial<OperationRecord>][] = [
  ["a renewed watch deadline", { watchDeadline: 1_900_000_000_000_000 }],
  ["a reservation", { leaseToken: 8, lease: { session: "ses2", token: 8, begun: false, guarded: true } }],
];

for (const [what, changes] of unseen) {
  test(`${what} changes no byte`, () => {
    assert.deepEqual(projectMetadata(stored(changes), shop), projectMetadata(stored({}), shop));
  });
}

test("what was stored at the start stays beside it", () => {
  const metadata = orderPayload({ orderId: "o1", options: { gift: true }, createOrderDetails: {} });
  assert.deepEqual(shownJson(stored({}, metadata)), {
    createTime,
    updateTime,
    state: "PENDING",
    orderId: "o1",
    options: { gift: true },
    createOrderDetails: {},
  });
});

test("equal states give equal bytes", () => {
  assert.deepEqual(projectMetadata(stored({}), shop), projectMetadata(stored({}), shop));
});

test("without a metadata type there is none", () => {
  assert.equal(projectMetadata(stored({}), diskDeclaration()), null);
});

const passedThrough: readonly [string, Payload][] = [
  [
    "a type that the service does not know",
    { typeUrl: "type.googleapis.com/old.v1.Meta", bytes: Buffer.of(8, 1) },
  ],
  [
    "bytes that are not of their type any more",
    { typeUrl: typeUrlOf(orderMetadata), bytes: Buffer.of(0xff) },
  ],
  ["a type without standard fields", structPayload({ a: 1 })],
];

for (const [what, metadata] of passedThrough) {
  test(`${what} is passed through as it is`, () => {
    assert.equal(projectMetadata(stored({}, metadata), shop), metadata);
  });
}

test("start_time is the creation where a type has no field for that", () => {
  const vault = fixtureMessage("CountMetadata");
  const metadata = { typeUrl: typeUrlOf(vault), bytes: toBinary(vault, create(vault)) };
  const payload = projectMetadata(stored({}, metadata), shop);
  assert.deepEqual(toJson(vault, fromBinary(vault, payload?.bytes ?? Buffer.of())), {
    startTime: createTime,
  });
});
