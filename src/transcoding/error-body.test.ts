import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorReason, errorReasons } from "../base/error-reasons.ts";
import { invalidField, RpcError } from "../base/rpc-error.ts";
import { httpStatusOf, StatusCode } from "../base/status-code.ts";
import { bareErrorReply, errorReply, httpStatusOfError } from "./error-body.ts";

// google/rpc/code.proto, by hand.
const httpStatuses: Record<keyof typeof StatusCode, number> = {
  OK: 200,
  CANCELLED: 499,
  UNKNOWN: 500,
  INVALID_ARGUMENT: 400,
  DEADLINE_EXCEEDED: 504,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 400,
  ABORTED: 409,
  OUT_OF_RANGE: 400,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DATA_LOSS: 500,
  UNAUTHENTICATED: 401,
};

test("all 17 codes have the HTTP status of code.proto", () => {
  for (const [name, httpStatus] of Object.entries(httpStatuses)) {
    assert.equal(httpStatusOf(StatusCode[name as keyof typeof StatusCode]), httpStatus, name);
  }
  assert.equal(Object.keys(httpStatuses).length, 17);
});

test("every reason has the status of its code, but 405, 413 and 415", () => {
  for (const reason of Object.keys(errorReasons) as ErrorReason[]) {
    const special = {
      METHOD_NOT_ALLOWED: 405,
      CONTENT_TYPE_REFUSED: 415,
      ENCODING_REFUSED: 415,
      HTTP2_WITHOUT_GRPC: 415,
    }[reason as string];
    const error = new RpcError(reason);
    assert.equal(httpStatusOfError(error), special ?? httpStatusOf(error.code), reason);
    assert.equal(errorReply(error).httpStatus, httpStatusOfError(error));
  }
});

test("a whole body that is too large is 413, a field that is too large 400", () => {
  for (const [field, status] of [
    ["the request body", 413],
    ["payload", 400],
  ] as const) {
    assert.equal(httpStatusOfError(new RpcError("PAYLOAD_TOO_LARGE", { field, size: 2, limit: 1 })), status);
  }
});

test("an encoding that is refused is answered with those that are not", () => {
  const { headers } = errorReply(new RpcError("ENCODING_REFUSED", { encoding: "br" }));
  assert.equal(headers["accept-encoding"], "gzip, deflate, identity");
});

test("the body is AIP-193's: the HTTP status as code, the code's name as status, ErrorInfo first", () => {
  const { body, headers, httpStatus } = errorReply(
    new RpcError("OPERATION_NOT_FOUND", { name: "operations/a" }),
  );
  assert.equal(httpStatus, 404);
  assert.equal(headers["content-type"], "application/json; charset=utf-8");
  assert.equal(headers["cache-control"], "no-store");
  assert.deepEqual(JSON.parse(body), {
    error: {
      code: 404,
      message: "operation operations/a is not found",
      status: "NOT_FOUND",
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          reason: "OPERATION_NOT_FOUND",
          domain: "belayd",
          metadata: { name: "operations/a" },
        },
      ],
    },
  });
});

test("405 has an Allow header", () => {
  const error = new RpcError("METHOD_NOT_ALLOWED", {
    httpMethod: "PUT",
    path: "/v1/x",
    allowed: "DELETE, GET",
  });
  const { headers, body } = errorReply(error);
  assert.equal(headers["allow"], "DELETE, GET");
  assert.equal((JSON.parse(body) as { error: { status: string } }).error.status, "UNIMPLEMENTED");
  assert.equal(errorReply(new RpcError("OVERLOADED")).headers["allow"], undefined);
});

test("Retry-After is whole seconds, rounded up, at least 1; without a delay there is none", () => {
  const retryAfter = (retryDelayMs?: number): string | undefined =>
    errorReply(new RpcError("OVERLOADED", {}, retryDelayMs === undefined ? {} : { retryDelayMs })).headers[
      "retry-after"
    ];
  assert.deepEqual(
    [retryAfter(0), retryAfter(200), retryAfter(1000), retryAfter(1001), retryAfter()],
    ["1", "1", "1", "2", undefined],
  );
});

test("field violations are told", () => {
  const { body } = errorReply(invalidField("page_size", "is negative"));
  const { error } = JSON.parse(body) as { error: { details: unknown[] } };
  assert.deepEqual(error.details[1], {
    "@type": "type.googleapis.com/google.rpc.BadRequest",
    fieldViolations: [{ field: "page_size", description: "is negative" }],
  });
});

test("an internal error tells nothing but its request id", () => {
  const cause = new Error("SELECT secret FROM operations at /home/x");
  const { body, httpStatus } = errorReply(RpcError.from(cause, "req-1"));
  assert.equal(httpStatus, 500);
  assert.ok(body.includes("req-1") && !body.includes("secret") && !body.includes("stack"));
});

// The table of the Yandex Cloud API design guide, by hand: code to HTTP status.
const yandexStatuses: readonly [number, number][] = [
  [1, 499],
  [2, 500],
  [3, 400],
  [4, 504],
  [5, 404],
  [6, 409],
  [7, 403],
  [8, 429],
  [9, 400],
  [10, 409],
  [11, 400],
  [12, 501],
  [13, 500],
  [14, 503],
  [15, 500],
  [16, 401],
];

test("all 16 error codes have the HTTP status of Yandex's table", () => {
  for (const [code, httpStatus] of yandexStatuses) assert.equal(httpStatusOf(code as StatusCode), httpStatus);
});

test("the bare form is the Status itself: the code's number, ErrorInfo first, RequestInfo last", () => {
  const reply = bareErrorReply(new RpcError("OPERATION_NOT_FOUND", { name: "operations/a" }), "req-1");
  assert.deepEqual(reply, {
    httpStatus: 404,
    headers: { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" },
    body:
      '{"code":5,"message":"operation operations/a is not found","details":[' +
      '{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"OPERATION_NOT_FOUND","domain":"belayd",' +
      '"metadata":{"name":"operations/a"}},' +
      '{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"req-1"}]}',
  });
});

test("both forms have the same HTTP status and headers for every reason", () => {
  for (const reason of Object.keys(errorReasons) as ErrorReason[]) {
    const error = new RpcError(reason, { allowed: "POST" }, { retryDelayMs: 1500 });
    const bare = bareErrorReply(error, "r");
    const wrapped = errorReply(error);
    assert.deepEqual([bare.httpStatus, bare.headers], [wrapped.httpStatus, wrapped.headers], reason);
    assert.equal((JSON.parse(bare.body) as { code: number }).code, error.code);
  }
});
