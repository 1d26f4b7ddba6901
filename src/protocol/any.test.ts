// Goal: for types that the registry knows, the JSON of protobuf-es; for all else a fallback, and never a
// throw.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  create,
  type DescMessage,
  type Message,
  type MessageInitShape,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import {
  type Any,
  AnySchema,
  anyPack,
  BoolValueSchema,
  BytesValueSchema,
  DoubleValueSchema,
  DurationSchema,
  EmptySchema,
  FieldMaskSchema,
  Int64ValueSchema,
  ListValueSchema,
  StringValueSchema,
  TimestampSchema,
  ValueSchema,
} from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { anyToJson, anyToJsonText, messageToJson } from "./any.ts";
import { OperationSchema as NativeOperationSchema, ProgressSchema } from "./gen/belay/v1/operations_pb.ts";
import { ListOperationsResponseSchema, OperationSchema } from "./gen/google/longrunning/operations_pb.ts";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "./gen/google/rpc/status_pb.ts";
import { AllKinds } from "./library-service.fixture.ts";
import type { Payload } from "./payload.ts";
import { encodeStruct, STRUCT_TYPE_URL, structPayload } from "./struct.ts";
import { baseTypeRegistry as registry } from "./type-registry.ts";

function payload<Desc extends DescMessage>(desc: Desc, init: MessageInitShape<Desc>): Payload {
  const any = anyPack(desc, create(desc, init));
  return { typeUrl: any.typeUrl, bytes: any.value };
}

function anyOf({ typeUrl, bytes }: Payload): Any {
  return create(AnySchema, { typeUrl, value: bytes });
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const known: readonly [string, Payload, object][] = [
  ["Struct", structPayload({ a: [1, null] }), { value: { a: [1, null] } }],
  ["Value", payload(ValueSchema, { kind: { case: "numberValue", value: 2 } }), { value: 2 }],
  [
    "ListValue",
    payload(ListValueSchema, { values: [{ kind: { case: "boolValue", value: true } }] }),
    { value: [true] },
  ],
  [
    "Timestamp",
    payload(TimestampSchema, { seconds: 1n, nanos: 5_000_000 }),
    { value: "1970-01-01T00:00:01.005Z" },
  ],
  ["Duration", payload(DurationSchema, { seconds: 1n, nanos: 500_000_000 }), { value: "1.500s" }],
  ["FieldMask", payload(FieldMaskSchema, { paths: ["a_b", "c"] }), { value: "aB,c" }],
  ["StringValue", payload(StringValueSchema, { value: "x" }), { value: "x" }],
  ["Int64Value", payload(Int64ValueSchema, { value: 2n ** 60n }), { value: "1152921504606846976" }],
  ["DoubleValue", payload(DoubleValueSchema, { value: Number.NaN }), { value: "NaN" }],
  ["BoolValue", payload(BoolValueSchema, { value: false }), { value: false }],
  ["BytesValue", payload(BytesValueSchema, { value: bytes(1, 2) }), { value: "AQI=" }],
  ["Empty", payload(EmptySchema, {}), {}],
  [
    "Any",
    payload(AnySchema, anyOf(payload(EmptySchema, {}))),
    { value: { "@type": "type.googleapis.com/google.protobuf.Empty" } },
  ],
  [
    "ErrorInfo",
    payload(ErrorInfoSchema, { reason: "R", metadata: { __proto__: "x", k: "v" } }),
    { reason: "R", metadata: { k: "v" } },
  ],
  ["RetryInfo", payload(RetryInfoSchema, { retryDelay: { seconds: 3n } }), { retryDelay: "3s" }],
  [
    "BadRequest",
    payload(BadRequestSchema, { fieldViolations: [{ field: "f" }] }),
    { fieldViolations: [{ field: "f" }] },
  ],
  ["Progress", payload(ProgressSchema, { percent: 40 }), { percent: 40 }],
  [
    "Status",
    payload(StatusSchema, { code: 1, details: [anyOf(structPayload({}))] }),
    { code: 1, details: [{ "@type": STRUCT_TYPE_URL, value: {} }] },
  ],
];
for (const [name, value, expected] of known) {
  test(`${name} in an Any is shown as protobuf-es shows it`, () => {
    const json = anyToJson(value, registry);
    assert.deepEqual(json, { "@type": value.typeUrl, ...expected });
    assert.deepEqual(json, toJson(AnySchema, anyOf(value), { registry }));
    assert.deepEqual(JSON.parse(anyToJsonText(value, registry)), json);
  });
}

const degraded: readonly [string, Payload][] = [
  ["an unknown type", { typeUrl: "type.googleapis.com/acme.Secret", bytes: bytes(1, 2, 3) }],
  ["a type URL that looks like an address", { typeUrl: "http://127.0.0.1:1/acme.X", bytes: bytes(1) }],
  ["a type URL that is a path", { typeUrl: "../../etc/passwd", bytes: bytes(1) }],
  ["no type", { typeUrl: "", bytes: bytes(1) }],
  ["a type URL that ends in a slash", { typeUrl: "type.googleapis.com/", bytes: bytes(1) }],
  ["a type URL of 1 MB", { typeUrl: "x".repeat(1_000_000), bytes: bytes(1) }],
  ["a service's name for a type", { typeUrl: "x/google.longrunning.Operations", bytes: bytes(1) }],
  ["truncated bytes", { typeUrl: "type.googleapis.com/google.rpc.Status", bytes: bytes(0x12, 9, 0x61) }],
  ["broken UTF-8", { typeUrl: "type.googleapis.com/google.rpc.ErrorInfo", bytes: bytes(0x0a, 1, 0xff) }],
  ["a broken Struct", { typeUrl: STRUCT_TYPE_URL, bytes: bytes(0xff) }],
  ["a Struct with NaN", { typeUrl: STRUCT_TYPE_URL, bytes: encodeStruct({ n: Number.NaN }) }],
  ["a Timestamp out of range", payload(TimestampSchema, { seconds: 2n ** 62n })],
];
for (const [name, value] of degraded) {
  test(`${name} in an Any is shown as base64`, () => {
    const expected = { "@type": value.typeUrl, value: Buffer.from(value.bytes).toString("base64") };
    assert.deepEqual(anyToJson(value, registry), expected);
    assert.deepEqual(JSON.parse(anyToJsonText(value, registry)), expected);
  });
}

test("an empty Any is {}", () => assert.deepEqual(anyToJson({ typeUrl: "", bytes: bytes() }, registry), {}));

test("an Empty with unknown fields is still {@type}", () => {
  const typeUrl = "type.googleapis.com/google.protobuf.Empty";
  assert.equal(anyToJsonText({ typeUrl, bytes: bytes(0x08, 1) }, registry), `{"@type":"${typeUrl}"}`);
});

test("Any within Any: 15 levels are opened, a chain of 1,000 ends in base64", () => {
  const chain = (count: number): Payload => {
    let inner = structPayload({ a: 1 });
    for (let i = 0; i < count; i++)
      inner = payload(AnySchema, { typeUrl: inner.typeUrl, value: inner.bytes });
    return inner;
  };
  const depth = (count: number): [number, unknown] => {
    let { value: json } = anyToJson(chain(count), registry) as { value: unknown };
    for (let i = 0; ; i++) {
      if (typeof json !== "object" || !("@type" in (json as object))) return [i, json];
      json = (json as { value: unknown }).value;
    }
  };
  assert.deepEqual(depth(15), [15, { a: 1 }]);
  const [levels, rest] = depth(1_000);
  assert.equal(levels, 16);
  assert.equal(typeof rest, "string");
});

test("anyToJson never throws, whatever the bytes", () => {
  const types = [...registry].filter((type) => type.kind === "message").map((type) => type.typeName);
  fc.assert(
    fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 60 }), (type, value) => {
      JSON.parse(anyToJsonText({ typeUrl: `type.googleapis.com/${type}`, bytes: value }, registry));
    }),
    { numRuns: 3000 },
  );
});

test("messageToJson answers what protobuf-es answers for registered types", () => {
  const operation = create(OperationSchema, {
    name: "operations/a",
    metadata: anyOf(structPayload({ p: 1 })),
    done: true,
    result: { case: "error", value: { code: 1, message: "m", details: [anyOf(payload(EmptySchema, {}))] } },
  });
  const native = create(NativeOperationSchema, {
    name: "operations/a",
    labels: { k: "v" },
    createTime: { seconds: 5n },
    payload: { x: [1] },
    state: 5,
    attempts: [{ attempt: 1 }, { attempt: 2, error: { code: 4, details: [anyOf(structPayload({}))] } }],
    result: { case: "response", value: anyOf(payload(ProgressSchema, { percent: 1 })) },
  });
  const page = create(ListOperationsResponseSchema, { operations: [operation], nextPageToken: "t" });
  for (const [desc, message] of [
    [OperationSchema, operation],
    [NativeOperationSchema, native],
    [ListOperationsResponseSchema, page],
    [ListOperationsResponseSchema, create(ListOperationsResponseSchema)],
    [EmptySchema, create(EmptySchema)],
  ] as const) {
    assert.deepEqual(
      messageToJson(desc, message, registry),
      toJson(desc as DescMessage, message, { registry }),
    );
  }
});

test("messageToJson takes maps of Any, keys like __proto__ included", () => {
  const unknown = anyOf({ typeUrl: "x/acme.Y", bytes: bytes(1) });
  const anys = Object.fromEntries([
    ["__proto__", unknown],
    ["b", anyOf(structPayload({}))],
  ]);
  const message = { ...create(AllKinds), anys, text: "t" } as Message;
  assert.equal(
    JSON.stringify(messageToJson(AllKinds, message, registry)),
    `{"text":"t","anys":{"__proto__":{"@type":"x/acme.Y","value":"AQ=="},"b":{"@type":"${STRUCT_TYPE_URL}","value":{}}}}`,
  );
  assert.deepEqual(messageToJson(AllKinds, create(AllKinds), registry), {});
});

test("messageToJson shows an unknown type at any depth, and leaves the message as it was", () => {
  const unknown = anyOf({ typeUrl: "x/acme.Y", bytes: bytes(1) });
  const shown = { "@type": "x/acme.Y", value: "AQ==" };
  const page = create(ListOperationsResponseSchema, {
    operations: [
      { name: "a", result: { case: "error", value: { code: 1, details: [unknown] } } },
      { metadata: unknown },
    ],
  });
  const before = toBinary(ListOperationsResponseSchema, page);
  assert.deepEqual(messageToJson(ListOperationsResponseSchema, page, registry), {
    operations: [{ name: "a", error: { code: 1, details: [shown] } }, { metadata: shown }],
  });
  assert.deepEqual(toBinary(ListOperationsResponseSchema, page), before);
});
