import assert from "node:assert/strict";
import { test } from "node:test";
import { RpcError } from "../base/rpc-error.ts";
import { recordedCall } from "../testing/recorded-call.ts";
import {
  checkForce,
  checkReach,
  checkUnlimited,
  operationKeyOf,
  reachableListParent,
  reaches,
} from "./access.ts";
import { defaultService } from "./builtin/default.ts";
import type { CallContext, Principal } from "./method.ts";
import { type MethodScopes, scopesOf } from "./service-declaration.ts";

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

const forced: readonly [
  what: string,
  scopes: readonly string[] | null,
  declared: MethodScopes,
  mayForce: boolean,
][] = [
  ["a token without limits", null, { cancel: ["c"] }, true],
  ["a token with the scope for it", ["f"], { cancel: ["c"], force: ["f"] }, true],
  ["a token that may only cancel", ["c"], { cancel: ["c"], force: ["f"] }, false],
  ["a token that may only cancel, where nothing is declared for force", ["c"], { cancel: ["c"] }, false],
  ["a token with scopes, where none is asked for to cancel", ["x"], {}, true],
  ["a token without scopes, where one is declared for force alone", [], { force: ["f"] }, false],
];

for (const [what, scopes, declared, mayForce] of forced) {
  test(`${what} ${mayForce ? "may" : "may not"} force`, () => {
    const context = { principal: { ...principal(null), scopes } };
    const check = (): void => checkForce(context, { ...defaultService, scopes: declared });
    if (mayForce) check();
    else assert.throws(check, { reason: "FORCE_REFUSED" });
  });
}

test("what belongs to no parent is for callers whose grants have no limits", () => {
  checkUnlimited({ principal: principal(null) }, "list", "workers");
  for (const grants of [[], ["operations"], ["projects/p"]]) {
    assert.throws(() => checkUnlimited({ principal: principal(grants) }, "list", "workers"), {
      reason: "IAM_PERMISSION_DENIED",
      parameters: { permission: "operations.list", resource: "workers" },
    });
  }
});

test("a watch asks for the scopes of lists where none are declared for it", () => {
  const watch = (scopes: MethodScopes): readonly string[] => scopesOf({ ...defaultService, scopes }, "watch");
  assert.deepEqual(watch({ list: ["l"], get: ["g"] }), ["l"]);
  assert.deepEqual(watch({ get: ["g"] }), ["g"]);
  assert.deepEqual(watch({ list: ["l"], watch: [] }), []);
  assert.deepEqual(watch({}), []);
});
