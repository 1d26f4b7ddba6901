import assert from "node:assert/strict";
import { test } from "node:test";
import { effectiveHttpMethod } from "./method-override.ts";

const cases: readonly [string, string | undefined, string][] = [
  ["POST", "PATCH", "PATCH"], // Java clients
  ["POST", "DELETE", "DELETE"],
  ["POST", undefined, "POST"],
  ["POST", "", "POST"],
  ["POST", "delete", "delete"], // HTTP methods have a case; no route has this one
  ["GET", "DELETE", "GET"],
  ["PUT", "PATCH", "PUT"],
  ["DELETE", "GET", "DELETE"],
];
for (const [httpMethod, override, expected] of cases) {
  test(`${httpMethod} with override ${override} means ${expected}`, () => {
    assert.equal(effectiveHttpMethod(httpMethod, override), expected);
  });
}
