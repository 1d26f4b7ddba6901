// Goal: the direct encoders write what protobuf-es writes, for any view.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { EMPTY_BYTES, EMPTY_JSON, EMPTY_TYPE_URL, emptyPayload } from "./empty.ts";
import {
  type ListOperationsResponse,
  ListOperationsResponseSchema,
  type Operation,
  OperationSchema,
} from "./gen/google/longrunning/operations_pb.ts";
import {
  encodeOperation,
  encodeOperationPage,
  type OperationPageView,
  type OperationView,
  operationPageToJsonText,
  operationToJsonText,
  type StatusView,
} from "./operation-encoder.ts";
import type { Payload } from "./payload.ts";
import { structPayload } from "./struct.ts";
import { baseTypeRegistry as registry } from "./type-registry.ts";

const text = fc.string({ unit: "grapheme", maxLength: 200 });
const registered: fc.Arbitrary<Payload> = fc.oneof(
  fc.constant(emptyPayload),
  fc.dictionary(text, fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null))).map(structPayload),
  fc.constant({ typeUrl: "type.googleapis.com/google.protobuf.Duration", bytes: Uint8Array.of(0x08, 3) }),
);
const anyBytes: fc.Arbitrary<Payload> = fc.record({
  typeUrl: text,
  bytes: fc.uint8Array({ maxLength: 300 }),
});

function views(payload: fc.Arbitrary<Payload>): fc.Arbitrary<OperationView> {
  const status: fc.Arbitrary<StatusView> = fc.record({
    code: fc.oneof(fc.nat(16), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
    message: text,
    details: fc.array(payload, { maxLength: 3 }),
  });
  const base = { name: text, metadata: fc.option(payload), done: fc.boolean() };
  return fc.oneof(
    fc.record({ ...base, error: fc.constant(null), response: fc.option(payload) }),
    fc.record({ ...base, error: status, response: fc.constant(null) }),
  );
}

function pages(payload: fc.Arbitrary<Payload>): fc.Arbitrary<OperationPageView> {
  return fc.record({ operations: fc.array(views(payload), { maxLength: 5 }), nextPageToken: text });
}

function anyOf({ typeUrl, bytes }: Payload): Any {
  return create(AnySchema, { typeUrl, value: bytes });
}

function messageOf(view: OperationView): Operation {
  const operation = create(OperationSchema, { name: view.name, done: view.done });
  if (view.metadata) operation.metadata = anyOf(view.metadata);
  if (view.response) operation.result = { case: "response", value: anyOf(view.response) };
  if (view.error) {
    const { code, message, details } = view.error;
    const error = create(OperationSchema, {
      result: { case: "error", value: { code, message, details: details.map(anyOf) } },
    });
    operation.result = error.result;
  }
  return operation;
}

function pageMessageOf(page: OperationPageView): ListOperationsResponse {
  return create(ListOperationsResponseSchema, {
    operations: page.operations.map(messageOf),
    nextPageToken: page.nextPageToken,
  });
}

test("encodeOperation writes the bytes of protobuf-es", () => {
  fc.assert(
    fc.property(views(fc.oneof(registered, anyBytes)), (view) => {
      assert.ok(encodeOperation(view) instanceof Buffer, "grpc-js takes Buffers");
      assert.deepEqual(encodeOperation(view), Buffer.from(toBinary(OperationSchema, messageOf(view))));
    }),
    { numRuns: 500 },
  );
});

test("encodeOperationPage writes the bytes of protobuf-es", () => {
  fc.assert(
    fc.property(pages(fc.oneof(registered, anyBytes)), (page) => {
      const expected = Buffer.from(toBinary(ListOperationsResponseSchema, pageMessageOf(page)));
      assert.deepEqual(encodeOperationPage(page), expected);
    }),
  );
});

test("the JSON texts are those of protobuf-es for registered types", () => {
  fc.assert(
    fc.property(pages(registered), (page) => {
      assert.deepEqual(
        JSON.parse(operationPageToJsonText(page, registry)),
        toJson(ListOperationsResponseSchema, pageMessageOf(page), { registry }),
      );
      for (const view of page.operations) {
        assert.deepEqual(
          JSON.parse(operationToJsonText(view, registry)),
          toJson(OperationSchema, messageOf(view), { registry }),
        );
      }
    }),
  );
});

test("the JSON text of any view parses, unknown types and broken bytes included", () => {
  fc.assert(
    fc.property(views(anyBytes), (view) => {
      const json = JSON.parse(operationToJsonText(view, registry)) as { name?: string };
      assert.equal(json.name ?? "", view.name);
    }),
  );
});

const running: OperationView = {
  name: "operations/a",
  metadata: null,
  done: false,
  error: null,
  response: null,
};

test("a running operation is its name alone: done=false is left out", () => {
  assert.equal(operationToJsonText(running, registry), '{"name":"operations/a"}');
});

test("a cancelled operation is done with error code 1", () => {
  const view = {
    ...running,
    done: true,
    error: { code: 1, message: "the operation was cancelled", details: [] },
  };
  assert.equal(
    operationToJsonText(view, registry),
    '{"name":"operations/a","done":true,"error":{"code":1,"message":"the operation was cancelled"}}',
  );
  assert.equal(fromBinary(OperationSchema, encodeOperation(view)).result.case, "error");
});

test("a view with an error and a response is our bug", () => {
  const view = {
    ...running,
    done: true,
    error: { code: 1, message: "", details: [] },
    response: emptyPayload,
  };
  assert.throws(() => encodeOperation(view), { name: "AssertionError" });
  assert.throws(() => operationToJsonText(view, registry), { name: "AssertionError" });
});

test("an empty view and an empty page are {} and no bytes", () => {
  const page = { operations: [], nextPageToken: "" };
  assert.equal(operationToJsonText({ ...running, name: "" }, registry), "{}");
  assert.equal(operationPageToJsonText(page, registry), "{}");
  assert.equal(encodeOperationPage(page).length, 0);
});

test("Empty is no bytes and {}", () => {
  assert.equal(EMPTY_BYTES.length, 0);
  assert.equal(EMPTY_JSON, "{}");
  const done = { ...running, done: true, response: emptyPayload };
  assert.equal(
    operationToJsonText(done, registry),
    `{"name":"operations/a","done":true,"response":{"@type":"${EMPTY_TYPE_URL}"}}`,
  );
});
