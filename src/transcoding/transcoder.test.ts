// The stages together; each stage's cases are in its own test, and the tables of whole requests in
// tests/conformance/transcoding.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { RpcError } from "../base/rpc-error.ts";
import { Operations } from "../protocol/gen/google/longrunning/operations_pb.ts";
import { Library, libraryMethod } from "../protocol/library-service.fixture.ts";
import { annotatedBindings, declaredBindings } from "./http-rules.ts";
import { createTranscoder, type Transcoder } from "./transcoder.ts";

const waitOperation = Operations.method.waitOperation;
const google = createTranscoder([
  ...Operations.methods.map((desc) => ({ desc, rules: annotatedBindings(desc), value: desc.name })),
  {
    desc: waitOperation,
    rules: declaredBindings(waitOperation, [{ post: "/v1/{name=operations/**}:wait", body: "*" }]),
    value: "WaitOperation",
  },
]);
const library = createTranscoder(
  Library.methods.map((desc) => ({ desc, rules: annotatedBindings(desc), value: desc.name })),
);

function request(transcoder: Transcoder<string>, line: string, body = ""): [string, JsonObject] {
  const [httpMethod, target] = line.split(" ") as [string, string];
  const match = transcoder.match(httpMethod, target);
  const { value, request } = transcoder.transcode(match, Buffer.from(body));
  return [value, toJson(match.desc.input, request) as JsonObject];
}

test("a match carries its value, descriptor, binding, captures and query", () => {
  const match = google.match("GET", "/v1/operations/a%20b?$alt=json");
  assert.equal(match.value, "GetOperation");
  assert.equal(match.desc, Operations.method.getOperation);
  assert.equal(match.binding.httpMethod, "GET");
  assert.deepEqual(match.captures, ["operations/a b"]);
  assert.equal(match.query, "$alt=json");
});

test("path, query and body fill the request", () => {
  assert.deepEqual(request(google, "GET /v1/operations?pageSize=10&page_token=t&filter=done%3Dtrue"), [
    "ListOperations",
    { name: "operations", filter: "done=true", pageSize: 10, pageToken: "t" },
  ]);
  assert.deepEqual(request(google, "POST /v1/operations/a:wait", '{"timeout":"5s"}'), [
    "WaitOperation",
    { name: "operations/a", timeout: "5s" },
  ]);
  assert.deepEqual(request(library, "PATCH /v1/things/x?flag=true", '{"pageCount":3}'), [
    "Update",
    { flag: true, inner: { name: "things/x", pageCount: 3 } },
  ]);
  assert.deepEqual(request(library, "PUT /v1/a%2Fb/words?numbers=1&numbers=2", '["x"]'), [
    "Update",
    { text: "a/b", numbers: [1, 2], words: ["x"] },
  ]);
  assert.deepEqual(request(library, "GET /v1/pages/7/RED/true"), [
    "GetPage",
    { int32Value: 7, color: "RED", flag: true },
  ]);
});

test("a trailing ? is no query", () => {
  const match = google.match("POST", "/v1/operations/a:cancel?");
  assert.deepEqual(google.transcode(match, Buffer.from("{}")).system.fields, null);
});

test("system parameters are answered beside the request", () => {
  const match = google.match(
    "GET",
    "/v1/operations/a?%24alt=json%3Benum-encoding%3Dint&prettyPrint=true&key=K",
  );
  const { system } = google.transcode(match, new Uint8Array(0));
  assert.equal(system.enumsAsIntegers && system.prettyPrint, true);
  assert.equal(system.apiKey, "K");
});

test("CancelOperation takes nothing, {}, its own name and an unset one, and nothing else", () => {
  const cancel = (body: string): JsonObject => request(google, "POST /v1/operations/a:cancel", body)[1];
  for (const body of ["", "{}", " {}", '{"name":"operations/a"}', '{"name":""}', '{"name":null}'])
    assert.deepEqual(cancel(body), { name: "operations/a" });
  for (const body of [
    '{"name":"operations/b"}',
    '{"name":1}',
    '{"name":["operations/a"]}',
    '{"reason":"x"}',
    '{"name":"operations/a","x":1}',
    '{"name":"operations/a","name":"operations/a"}',
    "null",
    "[]",
    '""',
    "0",
    "{",
    "operations/a",
  ]) {
    assert.throws(
      () => cancel(body),
      (error: RpcError) => ["INVALID_JSON", "INVALID_FIELD"].includes(error.reason),
      body,
    );
  }
});

test("no route is ROUTE_NOT_FOUND, another method METHOD_NOT_ALLOWED with what is allowed", () => {
  assert.throws(() => google.match("GET", "/v2/x?y"), {
    reason: "ROUTE_NOT_FOUND",
    parameters: { httpMethod: "GET", path: "/v2/x" },
  });
  assert.throws(() => google.match("PUT", "/v1/operations/a"), {
    reason: "METHOD_NOT_ALLOWED",
    parameters: { httpMethod: "PUT", path: "/v1/operations/a", allowed: "DELETE, GET" },
  });
  assert.throws(
    () => google.match("GET", `/${"x".repeat(10_000)}`),
    (error: RpcError) => error.message.length < 400,
  );
});

test("HEAD is METHOD_NOT_ALLOWED but for a GET without side effects", () => {
  assert.throws(() => google.match("HEAD", "/v1/operations/a"), { reason: "METHOD_NOT_ALLOWED" });
  assert.equal(library.match("HEAD", "/v1/search").value, "Search");
});

test("routes without bindings are served nowhere", () => {
  const none = createTranscoder([{ desc: libraryMethod("unbound"), rules: [], value: 1 }]);
  assert.throws(() => none.match("GET", "/"), { reason: "ROUTE_NOT_FOUND" });
});

test("whatever the request: a message, or an RpcError with a reason of the client's", () => {
  const target = fc.oneof(
    fc.stringMatching(/^\/v1\/(operations|things|pages|search)[/a:%2F?=&.]{0,16}(:cancel|:wait)?$/),
    fc.webUrl().map((url) => new URL(url).pathname),
    fc.string(),
  );
  const method = fc.constantFrom("GET", "POST", "PATCH", "DELETE", "HEAD", "__proto__");
  const body = fc.oneof(fc.constant(""), fc.json({ maxDepth: 2 }), fc.string());
  fc.assert(
    fc.property(
      method,
      target,
      body,
      fc.constantFrom(google, library),
      (httpMethod, rawTarget, text, transcoder) => {
        try {
          transcoder.transcode(transcoder.match(httpMethod, rawTarget), Buffer.from(text));
        } catch (error) {
          assert.ok(error instanceof RpcError, String(error));
          assert.ok(!error.isInternal);
        }
      },
    ),
    { numRuns: 3000 },
  );
});
