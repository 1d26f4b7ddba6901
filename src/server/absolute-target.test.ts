import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveAbsoluteTarget } from "./absolute-target.ts";

function resolved(originalUrl: string, isTls = false): { host: string | undefined; target: string } {
  const request = { headers: { host: "localhost" } as { host?: string }, originalUrl };
  resolveAbsoluteTarget(request, isTls);
  return { host: request.headers.host, target: request.originalUrl };
}

const rows: readonly [target: string, host: string, rest: string][] = [
  ["http://vault.googleapis.com/v1/operations?x=1", "vault.googleapis.com", "/v1/operations?x=1"],
  ["HTTP://Vault.localhost:8080/v1/operations", "Vault.localhost:8080", "/v1/operations"],
  ["http://[::1]:80/healthz", "[::1]:80", "/healthz"],
  ["http://localhost", "localhost", "/"],
  ["http://127.0.0.1?x=/", "127.0.0.1", "/?x=/"],
  // The path is read as any other: nothing of it is normalised here.
  ["http://other//a/../b", "other", "//a/../b"],
  // No absolute form: left to be refused as a path.
  ["/http://other/", "localhost", "/http://other/"],
  ["*", "localhost", "*"],
  ["http:///v1", "localhost", "http:///v1"],
  ["http://user@other/", "localhost", "http://user@other/"],
  ["http://other\\@localhost/", "localhost", "http://other\\@localhost/"],
  ["ftp://other/", "localhost", "ftp://other/"],
  ["other:443", "localhost", "other:443"],
];

for (const [target, host, rest] of rows) {
  test(`the target ${target} is ${rest} of ${host}`, () => {
    assert.deepEqual(resolved(target), { host, target: rest });
  });
}

test("the scheme is the connection's", () => {
  assert.deepEqual(resolved("https://other/", true), { host: "other", target: "/" });
  assert.throws(() => resolved("https://other/"), { reason: "MALFORMED_HTTP" });
  assert.throws(() => resolved("http://other/", true), { reason: "MALFORMED_HTTP" });
});
