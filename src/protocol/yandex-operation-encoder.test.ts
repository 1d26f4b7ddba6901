// Goal: the direct encoders write what protobuf-es writes, for any view, but `done` in JSON.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary, toJson } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { type Any, AnySchema, type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { emptyPayload } from "./empty.ts";
import { type Operation, OperationSchema } from "./gen/yandex/cloud/operation/operation_pb.ts";
import type { StatusView } from "./operation-encoder.ts";
import type { Payload } from "./payload.ts";
import { structPayload } from "./struct.ts";
import { createTypeRegistry } from "./type-registry.ts";
import {
  encodeYandexOperation,
  encodeYandexOperationPage,
  type YandexOperationView,
  yandexOperationPageToJsonText,
  yandexOperationToJsonText,
} from "./yandex-operation-encoder.ts";

const registry = createTypeRegistry(OperationSchema);

const text = fc.string({ unit: "grapheme", maxLength: 100 });
const instant = fc.integer({ min: -62_135_596_800, max: 9_007_199_254 }).chain((seconds) =>
  fc.nat(999_999).map((micros) => {
    const whole = seconds * 1_000_000 + micros;
    return Number.isSafeInteger(whole) ? whole : micros;
  }),
);
const registered: fc.Arbitrary<Payload> = fc.oneof(
  fc.constant(emptyPayload),
  fc.dictionary(text, fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null))).map(structPayload),
  fc.constant({ typeUrl: "type.googleapis.com/google.protobuf.Duration", bytes: Uint8Array.of(0x08, 3) }),
);
const anyBytes: fc.Arbitrary<Payload> = fc.record({
  typeUrl: text,
  bytes: fc.uint8Array({ maxLength: 300 }),
});

function views(payload: fc.Arbitrary<Payload>): fc.Arbitrary<YandexOperationView> {
  const status: fc.Arbitrary<StatusView> = fc.record({
    code: fc.nat(16),
    message: text,
    details: fc.array(payload, { maxLength: 2 }),
  });
  const base = {
    id: text,
    description: text,
    createdAt: instant,
    createdBy: text,
    modifiedAt: instant,
    metadata: fc.option(payload),
  };
  const none = fc.constant(null);
  return fc.oneof(
    fc.record({ ...base, done: fc.constant(false), error: none, response: none }),
    fc.record({ ...base, done: fc.constant(true), error: none, response: fc.option(payload) }),
    fc.record({ ...base, done: fc.constant(true), error: status, response: none }),
  );
}

function anyOf({ typeUrl, bytes }: Payload): Any {
  return create(AnySchema, { typeUrl, value: bytes });
}

/** By integer arithmetic, as protobuf has it: the fraction counts forward. */
function timestampOf(micros: number): Timestamp {
  const rest = ((BigInt(micros) % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = (BigInt(micros) - rest) / 1_000_000n;
  return create(TimestampSchema, { seconds, nanos: Number(rest) * 1000 });
}

function messageOf(view: YandexOperationView): Operation {
  const { id, description, createdBy, done } = view;
  const operation = create(OperationSchema, {
    id,
    description,
    createdBy,
    done,
    createdAt: timestampOf(view.createdAt),
    modifiedAt: timestampOf(view.modifiedAt),
  });
  if (view.metadata) operation.metadata = anyOf(view.metadata);
  if (view.response) operation.result = { case: "response", value: anyOf(view.response) };
  if (view.error) {
    const { code, message, details } = view.error;
    const value = { code, message, details: details.map(anyOf) };
    operation.result = create(OperationSchema, { result: { case: "error", value } }).result;
  }
  return operation;
}

function jsonOf(view: YandexOperationView): unknown {
  const json = toJson(OperationSchema, messageOf(view), { registry }) as Record<string, unknown>;
  return { ...json, done: view.done };
}

test("the bytes are those of protobuf-es", () => {
  fc.assert(
    fc.property(views(fc.oneof(registered, anyBytes)), (view) => {
      const bytes = encodeYandexOperation(view);
      assert.ok(bytes instanceof Buffer, "grpc-js takes Buffers");
      assert.deepEqual(bytes, Buffer.from(toBinary(OperationSchema, messageOf(view))));
    }),
    { numRuns: 500 },
  );
});

test("the JSON text is that of protobuf-es for registered types, with done always written", () => {
  fc.assert(
    fc.property(views(registered), (view) => {
      assert.deepEqual(JSON.parse(yandexOperationToJsonText(view, registry)), jsonOf(view));
    }),
  );
});

test("the JSON text of any view parses, unknown types and broken bytes included", () => {
  fc.assert(
    fc.property(views(anyBytes), (view) => {
      const json = JSON.parse(yandexOperationToJsonText(view, registry)) as { id?: string; done: boolean };
      assert.deepEqual([json.id ?? "", json.done], [view.id, view.done]);
    }),
  );
});

test("a page holds its operations in order, in both forms", () => {
  const page = fc.record({
    operations: fc.array(views(registered), { maxLength: 4 }),
    nextPageToken: text,
  });
  fc.assert(
    fc.property(page, ({ operations, nextPageToken }) => {
      const writer = new BinaryWriter();
      for (const view of operations) writer.tag(1, 2).bytes(toBinary(OperationSchema, messageOf(view)));
      if (nextPageToken !== "") writer.tag(2, 2).string(nextPageToken);
      const bytes = encodeYandexOperationPage({ operations, nextPageToken });
      assert.deepEqual(bytes, Buffer.from(writer.finish()));
      const json = JSON.parse(yandexOperationPageToJsonText({ operations, nextPageToken }, registry));
      assert.deepEqual(json, {
        ...(operations.length > 0 ? { operations: operations.map(jsonOf) } : {}),
        ...(nextPageToken === "" ? {} : { nextPageToken }),
      });
    }),
  );
});

const running: YandexOperationView = {
  id: "ocr0mh1k2j3c4v5b6n7q",
  description: "",
  createdAt: 1_800_000_000_000_001,
  createdBy: "",
  modifiedAt: 1_800_000_000_120_000,
  done: false,
  metadata: null,
  error: null,
  response: null,
};

test("a running operation says done: false; an empty description and creator are left out", () => {
  assert.equal(
    yandexOperationToJsonText(running, registry),
    '{"id":"ocr0mh1k2j3c4v5b6n7q","createdAt":"2027-01-15T08:00:00.000001Z","modifiedAt":"2027-01-15T08:00:00.120Z","done":false}',
  );
});

test("a result before done, or two results, are our bug", () => {
  const error = { code: 1, message: "", details: [] };
  const done = { ...running, done: true };
  for (const view of [
    { ...running, error },
    { ...running, response: emptyPayload },
    { ...done, error, response: emptyPayload },
  ]) {
    assert.throws(() => encodeYandexOperation(view), { name: "AssertionError" });
    assert.throws(() => yandexOperationToJsonText(view, registry), { name: "AssertionError" });
  }
});

test("Timestamps in metadata and response keep nine digits over the whole range", () => {
  const cases: readonly [bigint, number, string][] = [
    [-62_135_596_800n, 0, "0001-01-01T00:00:00Z"],
    [-62_135_596_800n, 1, "0001-01-01T00:00:00.000000001Z"],
    [253_402_300_799n, 999_999_999, "9999-12-31T23:59:59.999999999Z"],
  ];
  for (const [seconds, nanos, expected] of cases) {
    const createdAt = create(TimestampSchema, { seconds, nanos });
    const response = {
      typeUrl: "type.googleapis.com/yandex.cloud.operation.Operation",
      bytes: toBinary(OperationSchema, create(OperationSchema, { createdAt })),
    };
    const metadata = {
      typeUrl: "type.googleapis.com/google.protobuf.Timestamp",
      bytes: toBinary(TimestampSchema, createdAt),
    };
    const json = JSON.parse(
      yandexOperationToJsonText({ ...running, done: true, metadata, response }, registry),
    ) as { metadata: { value: string }; response: { createdAt: string } };
    assert.deepEqual([json.metadata.value, json.response.createdAt], [expected, expected]);
  }
});
