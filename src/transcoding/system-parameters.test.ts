import assert from "node:assert/strict";
import { test } from "node:test";
import { GetOperationRequestSchema } from "../protocol/gen/google/longrunning/operations_pb.ts";
import { AllKinds } from "../protocol/library-service.fixture.ts";
import { parseQuery } from "./query-params.ts";
import {
  defaultSystemParameters,
  extractSystemParameters,
  type SystemParameters,
} from "./system-parameters.ts";

const extract = (query: string): ReturnType<typeof extractSystemParameters> =>
  extractSystemParameters(parseQuery(query), GetOperationRequestSchema);

const good: readonly [string, Partial<SystemParameters>][] = [
  ["", {}],
  ["alt=json", {}],
  ["$alt=json%3Benum-encoding=int", { enumsAsIntegers: true }], // gax for Node
  ["%24alt=json%3Benum-encoding%3Dint", { enumsAsIntegers: true }], // Go
  ["alt=json;enum-encoding=int", { enumsAsIntegers: true }],
  ["prettyPrint=true", { prettyPrint: true }],
  ["$prettyPrint=false", {}],
  ["key=K", { apiKey: "K" }],
  ["%24key=K", { apiKey: "K" }],
  ["$apiVersion=2026-01-01", { apiVersion: "2026-01-01" }],
  ["quotaUser=u&$.xgafv=2&%24.xgafv=1&$ct=x&uploadType=media&upload_protocol=raw&userIp=1", {}],
  ["fields=name", { fields: new Map([["name", null]]) }],
  ["$fields=error(code)", { fields: new Map([["error", new Map([["code", null]])]]) }],
];
for (const [query, expected] of good) {
  test(`${query || "nothing"} is taken`, () => {
    const { system, rest } = extract(query);
    assert.deepEqual(system, { ...defaultSystemParameters, ...expected });
    assert.deepEqual(rest, []);
  });
}

const refused: readonly [string, string][] = [
  ["alt=media", "takes only json and json;enum-encoding=int"],
  ["alt=proto", "takes only json and json;enum-encoding=int"],
  ["$alt=sse", "takes only json and json;enum-encoding=int"],
  ["alt=", "takes only json and json;enum-encoding=int"],
  ["alt=json&$alt=json", "is given more than once"],
  ["prettyPrint=1", "is neither true nor false"],
  ["fields=a(", "is no list of fields, such as name,error/code or operations(name)"],
  ["callback=alert", "is refused: replies are never scripts"],
  ["$callback=alert", "is refused: replies are never scripts"],
  ["access_token=SECRET", "is refused: tokens go in the Authorization header"],
  ["%24access_token=SECRET", "is refused: tokens go in the Authorization header"],
  ["oauth_token=SECRET", "is refused: tokens go in the Authorization header"],
  ["bearer_token=SECRET", "is refused: tokens go in the Authorization header"],
  ["$httpMethod=DELETE", "is refused: send the method, or X-HTTP-Method-Override on a POST"],
];
for (const [query, problem] of refused) {
  test(`${query} is INVALID_QUERY_PARAMETER, without its value`, () => {
    assert.throws(
      () => extract(query),
      (error: Error & { reason?: string }) => {
        assert.equal(error.reason, "INVALID_QUERY_PARAMETER");
        assert.ok(error.message.endsWith(problem), error.message);
        assert.ok(!JSON.stringify(error).includes("SECRET") && !error.message.includes("SECRET"));
        return true;
      },
    );
  });
}

test("what is no system parameter is left to the method", () => {
  const { rest } = extract("name=x&alt=json&$nope=1&xgafv=1&ct=1&apiVersion=1");
  assert.deepEqual(
    rest.map(({ name }) => name),
    ["name", "$nope", "xgafv", "ct", "apiVersion"],
  );
});

test("a request's own field goes before a system parameter without $", () => {
  const { system, rest } = extractSystemParameters(parseQuery("fields=a(&$fields=text"), AllKinds);
  assert.deepEqual(rest, [{ name: "fields", value: "a(" }]);
  assert.deepEqual(system.fields, new Map([["text", null]]));
});
