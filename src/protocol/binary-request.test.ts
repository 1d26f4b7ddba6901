import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { decodeRequest } from "./binary-request.ts";
import { StartOperationRequestSchema } from "./gen/belay/v1/operations_pb.ts";
import { checkJsonLimits, payloadLimits } from "./json-limits.ts";
import type { JsonObject } from "./worker-connection.ts";

function nested(depth: number): JsonObject {
  let value: JsonObject = { leaf: 1 };
  for (let i = 1; i < depth; i++) value = { a: value };
  return value;
}

/** StartOperationRequest bytes with a payload of that depth, made without recursion. */
function requestBytes(depth: number): Uint8Array {
  // Lengths from the inside out, then tags from the outside in.
  const lengths: number[] = [0];
  for (let i = 1; i < depth; i++) {
    const inner = lengths[i - 1]!;
    const value = 1 + varintSize(inner) + inner;
    const entry = 3 + 1 + varintSize(value) + value;
    lengths.push(1 + varintSize(entry) + entry);
  }
  const writer = new BinaryWriter().tag(2, 2).uint32(lengths[depth - 1]!);
  for (let i = depth - 1; i > 0; i--) {
    const inner = lengths[i - 1]!;
    const value = 1 + varintSize(inner) + inner;
    const entry = 3 + 1 + varintSize(value) + value;
    writer.tag(1, 2).uint32(entry).tag(1, 2).string("a").tag(2, 2).uint32(value).tag(5, 2).uint32(inner);
  }
  return writer.finish();
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest >>>= 7) size++;
  return size;
}

test("a payload of 100 levels is decoded; 101 pass the door and meet checkJsonLimits or stop at it", () => {
  const bytes = toBinary(
    StartOperationRequestSchema,
    create(StartOperationRequestSchema, { payload: nested(100) }),
  );
  assert.deepEqual(decodeRequest(StartOperationRequestSchema, bytes).payload, nested(100));
  const deeper = toBinary(
    StartOperationRequestSchema,
    create(StartOperationRequestSchema, { payload: nested(101) }),
  );
  assert.throws(
    () =>
      checkJsonLimits(decodeRequest(StartOperationRequestSchema, deeper).payload, "payload", payloadLimits),
    { reason: "PAYLOAD_TOO_DEEP" },
  );
});

test("102 and 500,000 levels are PAYLOAD_TOO_DEEP at the door", () => {
  assert.ok(decodeRequest(StartOperationRequestSchema, requestBytes(50)).payload);
  for (const depth of [102, 500_000]) {
    assert.throws(() => decodeRequest(StartOperationRequestSchema, requestBytes(depth)), {
      reason: "PAYLOAD_TOO_DEEP",
      message: "request is nested deeper than 100 levels",
    });
  }
});

test("bytes that are no such message are INVALID_FIELD: truncated, broken UTF-8, a bad tag", () => {
  for (const bytes of [[0x0a, 5, 0x61], [0x0a, 1, 0xff], [0x07], [0xff]]) {
    assert.throws(() => decodeRequest(StartOperationRequestSchema, Uint8Array.from(bytes)), {
      reason: "INVALID_FIELD",
      message: "request: the bytes are no belay.v1.StartOperationRequest",
    });
  }
});

test("unknown fields are dropped", () => {
  const bytes = new BinaryWriter().tag(1, 2).string("a.b").tag(900, 2).string("?").finish();
  const request = decodeRequest(StartOperationRequestSchema, bytes);
  assert.equal(request.type, "a.b");
  assert.equal(request.$unknown, undefined);
});
