import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import { type ErrorReason, errorReasons } from "../base/error-reasons.ts";
import { invalidField, RpcError } from "../base/rpc-error.ts";
import { StatusSchema } from "./gen/google/rpc/status_pb.ts";
import { encodeStatus, statusJson, statusMessage } from "./status.ts";
import { baseTypeRegistry as registry } from "./type-registry.ts";

function decoded(error: RpcError): unknown {
  return toJson(StatusSchema, fromBinary(StatusSchema, encodeStatus(error)), { registry });
}

test("every reason of the table has the same Status in protobuf and in JSON, with one ErrorInfo", () => {
  for (const reason of Object.keys(errorReasons) as ErrorReason[]) {
    const error = new RpcError(reason, { name: "operations/a", limit: 5 });
    const json = statusJson(error);
    assert.deepEqual(decoded(error), json);
    assert.equal(json.code, errorReasons[reason].code);
    assert.deepEqual(json.details, [
      {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        reason,
        domain: "belayd",
        metadata: { name: "operations/a", limit: "5" },
      },
    ]);
  }
});

test("an error without parameters has an ErrorInfo that protobuf-es shows alike", () => {
  const error = new RpcError("SHUTTING_DOWN");
  assert.deepEqual(statusJson(error), decoded(error));
  assert.ok(!("metadata" in (statusJson(error).details[0] ?? {})));
  assert.equal(statusJson(error).code, 14);
});

test("field violations become a BadRequest, a delay becomes RetryInfo", () => {
  const error = new RpcError(
    "OVERLOADED",
    { what: "waiters", limit: 10 },
    {
      fieldViolations: [
        { field: "a.b", description: "is bad" },
        { field: "", description: "x" },
      ],
      retryDelayMs: 1500,
    },
  );
  assert.deepEqual(decoded(error), statusJson(error));
  assert.deepEqual(statusJson(error).details.slice(1), [
    {
      "@type": "type.googleapis.com/google.rpc.BadRequest",
      fieldViolations: [{ field: "a.b", description: "is bad" }, { description: "x" }],
    },
    { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "1.500s" },
  ]);
});

test("a delay of whole seconds, of none, and a negative one", () => {
  for (const [retryDelayMs, expected] of [
    [2000, "2s"],
    [0, "0s"],
    [-5, "0s"],
    [0.4, "0s"],
  ] as const) {
    const error = new RpcError("OVERLOADED", {}, { retryDelayMs });
    const details = statusJson(error).details as { retryDelay?: string }[];
    assert.equal(details.at(-1)?.retryDelay, expected);
    assert.deepEqual(
      (decoded(error) as { details: unknown[] }).details.at(-1),
      statusJson(error).details.at(-1),
    );
  }
});

test("what a caller wrote is cut and made well-formed: the trailer stays under 4 KiB", () => {
  const long = "🚢\ud800".repeat(100_000);
  const error = invalidField(long, long);
  const bytes = encodeStatus(error);
  assert.ok(bytes.length <= 4096, String(bytes.length));
  assert.equal(fromBinary(StatusSchema, bytes).code, 3);
  assert.ok(statusMessage(error).length <= 1024);
  assert.ok(statusMessage(error).isWellFormed());
  assert.ok(JSON.stringify(statusJson(error)).length < 20_000);
});

test("many violations: 16 are told in JSON, as many as fit in the trailer", () => {
  const fieldViolations = Array.from({ length: 100 }, (_, i) => ({
    field: `f${i}`,
    description: "ж".repeat(300),
  }));
  const error = new RpcError("INVALID_JSON", { problem: "many" }, { fieldViolations });
  const [, badRequest] = statusJson(error).details as { fieldViolations?: unknown[] }[];
  assert.equal(badRequest?.fieldViolations?.length, 16);
  assert.ok(encodeStatus(error).length <= 4096);
});
