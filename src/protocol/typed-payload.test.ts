import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromJson } from "@bufbuild/protobuf";
import { StructSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { AllKinds } from "./library-service.fixture.ts";
import { baseTypeRegistry } from "./type-registry.ts";
import { typedPayload, typeNameOf, typeUrlOf } from "./typed-payload.ts";

test("a message becomes bytes with its type, and its ProtoJSON beside them", () => {
  const message = fromJson(AllKinds, { text: "a", int64Value: "5" });
  assert.deepEqual(typedPayload(AllKinds, message, "request", baseTypeRegistry), {
    payload: {
      typeUrl: "type.googleapis.com/library.v1.AllKinds",
      bytes: new Uint8Array([10, 1, 97, 40, 5]),
    },
    json: { text: "a", int64Value: "5" },
  });
});

test("a type URL is the full name after a slash", () => {
  assert.equal(typeNameOf(typeUrlOf(AllKinds)), "library.v1.AllKinds");
  assert.equal(typeNameOf("library.v1.AllKinds"), "library.v1.AllKinds");
});

test("bytes count, not the base64 of their JSON", () => {
  const message = fromJson(AllKinds, { bytesValue: Buffer.alloc(262_000).toString("base64") });
  assert.equal(typedPayload(AllKinds, message, "request", baseTypeRegistry).payload.bytes.length, 262_004);
  const tooLong = fromJson(AllKinds, { bytesValue: Buffer.alloc(262_144).toString("base64") });
  assert.throws(() => typedPayload(AllKinds, tooLong, "request", baseTypeRegistry), {
    reason: "PAYLOAD_TOO_LARGE",
    message: "request is 262148 bytes; at most 262144 are taken",
  });
});

test("a value without JSON is refused with the field", () => {
  const message = create(TimestampSchema, { seconds: 10n ** 12n });
  assert.throws(() => typedPayload(TimestampSchema, message, "request", baseTypeRegistry), {
    reason: "INVALID_FIELD",
    message: /^request: .*Timestamp/,
  });
});

test("too many elements are refused", () => {
  const message = fromJson(StructSchema, { list: Array.from({ length: 10_001 }, () => null) });
  assert.throws(() => typedPayload(StructSchema, message, "response", baseTypeRegistry), {
    reason: "PAYLOAD_TOO_MANY_KEYS",
  });
});
