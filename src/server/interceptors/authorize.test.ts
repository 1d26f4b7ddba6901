import assert from "node:assert/strict";
import { test } from "node:test";
import { RpcError } from "../../base/rpc-error.ts";
import { defineService } from "../../services/define-service.ts";
import type { ServerCall } from "../server-call.ts";
import { checkScopes, createAuthorize } from "./authorize.ts";

const declaration = defineService({
  id: "vault",
  scopes: { get: ["https://x/full", "https://x/read"], cancel: ["https://x/full"], list: [] },
});
const method = (kind: "get" | "list" | "cancel" | "wait") => ({
  declaration,
  kind,
  fullName: `google.longrunning.Operations/${kind}`,
});

test("one of the scopes of the method's kind is enough; a kind without scopes asks for none", () => {
  checkScopes(["https://x/read"], method("get"));
  checkScopes(["other", "https://x/full"], method("cancel"));
  checkScopes([], method("list"));
  checkScopes([], method("wait"));
});

test("a credential that is not limited to scopes has them all", () => {
  checkScopes(null, method("cancel"));
});

test("a missing scope is told with the method, the service and the scopes that would do", () => {
  for (const scopes of [[], ["https://x/read"], ["https://x/ful"], ["https://x/full/"]]) {
    assert.throws(
      () => checkScopes(scopes, method("cancel")),
      (error: unknown) => {
        assert.ok(error instanceof RpcError);
        assert.equal(error.reason, "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
        assert.deepEqual(error.parameters, {
          method: "google.longrunning.Operations/cancel",
          scopes: "https://x/full",
          service: "vault",
        });
        return true;
      },
    );
  }
  assert.throws(() => checkScopes(["x"], method("get")), /one of https:\/\/x\/full, https:\/\/x\/read$/);
});

const caller = { id: "user:ada", tenant: "default", scopes: null, grants: null };
const worker = { ...caller, workerTypes: ["ocr.read"] };
for (const [hasIdentity, principal, kind, reason] of [
  [true, caller, "work", "WORK_REFUSED"],
  [true, { ...caller, workerTypes: null }, "work", "WORK_REFUSED"],
  [true, worker, "work", undefined],
  [true, worker, "get", "WORKER_CREDENTIAL"],
  [true, worker, "cancel", "WORKER_CREDENTIAL"],
  [true, caller, "get", undefined],
  [false, caller, "work", undefined],
  [false, caller, "get", undefined],
] as const) {
  const who = "workerTypes" in principal && principal.workerTypes ? "a worker" : "a caller";
  test(`${who} ${hasIdentity ? "with" : "without"} identity and kind ${kind}: ${reason ?? "may"}`, () => {
    const call = { principal, method: { ...method("get"), kind, service: {} } } as unknown as ServerCall;
    const authorize = createAuthorize({ hasIdentity });
    let refusal: unknown;
    try {
      authorize.before?.(call);
    } catch (error) {
      refusal = error instanceof RpcError ? error.reason : error;
    }
    assert.equal(refusal, reason);
  });
}
