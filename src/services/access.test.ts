import assert from "node:assert/strict";
import { test } from "node:test";
import { RpcError } from "../base/rpc-error.ts";
import { recordedCall } from "../testing/recorded-call.ts";
import { checkReach, operationKeyOf, reachableListParent, reaches } from "./access.ts";
import type { CallContext, Principal } from "./method.ts";

function principal(grants: readonly string[] | null): Principal {
  return { id: "user:ada", tenant: "acme", scopes: null, grants };
}

/** A call to vault of somebody in the tenant acme. */
function call(...grants: string[]): CallContext {
  return recordedCall({
    service: "vault",
    principal: principal(grants),
    authority: "globex.example.com",
    requestHeaders: { "x-tenant": "globex", "x-goog-user-project": "globex" },
  });
}

const reached: readonly [grants: readonly string[] | null, resource: string, isReached: boolean][] = [
  [null, "", true],
  [null, "projects/p/operations/a", true],
  [[], "", false],
  [[], "operations/a", false],
  [[], "projects/p/operations/a", false],
  [["operations"], "", true],
  [["operations"], "operations", true],
  [["operations"], "operations/a", true],
  [["operations"], "projects/p/operations/a", false],
  [["projects/p"], "", false],
  [["projects/p"], "operations", false],
  [["projects/p"], "operations/a", false],
  [["projects/p"], "projects/p", true],
  [["projects/p"], "projects/p/operations/a", true],
  [["projects/p"], "projects/p/locations/l/operations/a", true],
  [["projects/p"], "projects/p2", false],
  [["projects/p"], "projects/p2/operations/a", false],
  [["projects/p"], "projects", false],
  [["projects/p"], "x/projects/p/operations/a", false],
  [["projects/p/locations/l"], "projects/p", false],
  [["projects/p/locations/l"], "projects/p/locations/m/operations/a", false],
  [["projects/q", "projects/p"], "projects/p/operations/a", true],
];

for (const [grants, resource, isReached] of reached) {
  const who = grants === null ? "who is not limited" : `with the grants ${JSON.stringify(grants)}`;
  test(`a caller ${who} ${isReached ? "reaches" : "does not reach"} ${JSON.stringify(resource)}`, () => {
    assert.equal(reaches(principal(grants), resource), isReached);
  });
}

test("what is not reached is told with the permission and the resource, as the caller named it", () => {
  assert.throws(
    () => checkReach(call("projects/q"), "cancel", "projects/p/operations/a"),
    (error) => {
      assert.ok(error instanceof RpcError);
      assert.equal(error.reason, "IAM_PERMISSION_DENIED");
      assert.deepEqual(error.parameters, {
        permission: "operations.cancel",
        resource: "projects/p/operations/a",
      });
      return true;
    },
  );
});

test("the key of an operation has the service of the call and the tenant of the principal, whatever else is sent", () => {
  const name = "projects/p/operations/a";
  assert.deepEqual(operationKeyOf(name, "get", call("projects/p")), {
    service: "vault",
    tenant: "acme",
    name,
  });
});

test("permission comes before form: a malformed name is denied to who may not reach it, and refused to who may", () => {
  for (const name of ["projects/p/operations/A!", "projects/p", "nonsense", ""]) {
    assert.throws(() => operationKeyOf(name, "get", call("projects/q")), { reason: "IAM_PERMISSION_DENIED" });
    const unlimited = recordedCall({ principal: principal(null) });
    assert.throws(() => operationKeyOf(name, "get", unlimited), { reason: "INVALID_NAME" });
  }
});

test("a parent may be named with or without operations at its end, and needs a grant either way", () => {
  for (const name of ["projects/p/operations", "projects/p"]) {
    assert.equal(reachableListParent(name, call("projects/p")), "projects/p");
    assert.throws(() => reachableListParent(name, call("operations")), { reason: "IAM_PERMISSION_DENIED" });
  }
  for (const name of ["operations", ""]) {
    assert.equal(reachableListParent(name, call("operations")), "");
    assert.throws(() => reachableListParent(name, call("projects/p")), { reason: "IAM_PERMISSION_DENIED" });
  }
});
