import assert from "node:assert/strict";
import { test } from "node:test";
import { AutoMl } from "../../protocol/gen/google/cloud/automl/v1beta1/service_pb.ts";
import { VaultService } from "../../protocol/gen/vault/v1/vault_service_pb.ts";
import { parentOfResource, resourceFieldOf } from "./operation-parent.ts";
import { fixtureMessage } from "./shop-service.fixture.ts";

const locations = ["projects/*/locations/*"];
const rows: readonly [resource: string, isParent: boolean, patterns: readonly string[], string | null][] = [
  ["projects/p/locations/l", true, locations, "projects/p/locations/l"],
  ["projects/p/locations/l/models/m", false, locations, "projects/p/locations/l"],
  ["projects/p/locations/l/models/m", true, locations, "projects/p/locations/l"],
  ["projects/p", true, locations, null],
  ["", true, locations, null],
  ["projects//locations/l", true, locations, null],
  ["projects/p/locations/l/models/m", false, ["**"], "projects/p/locations/l"],
  ["projects/p/locations/l/models/m", true, ["**"], "projects/p/locations/l/models/m"],
  ["my-disk", false, [""], ""],
  ["shops/s", false, ["", "shops/*"], "shops/s"],
  ["shops/s", false, [""], ""],
  ["projects/p/locations/l", true, [""], ""],
  ["operations/x/things/y", false, ["**"], ""],
  ["a/b/c/d/e/f/g/h", true, ["**"], "a/b/c/d/e/f"],
];

for (const [resource, isParent, patterns, parent] of rows) {
  test(`${resource || "nothing"} ${isParent ? "as a parent" : "as a resource"} under ${patterns} is ${parent}`, () => {
    assert.equal(parentOfResource(resource, isParent, patterns), parent);
  });
}

const fields: readonly [string, ReturnType<typeof fixtureMessage>, string | undefined][] = [
  ["Create", AutoMl.method.createModel.input, "parent"],
  ["Delete", AutoMl.method.deleteModel.input, "name"],
  ["Update", fixtureMessage("UpdateOrderRequest"), "order.name"],
  ["a request about no resource", VaultService.method.countArtifacts.input, undefined],
];

for (const [what, desc, path] of fields) {
  test(`the resource of ${what} is in ${path ?? "no field"}`, () => {
    assert.equal(resourceFieldOf(desc)?.path, path);
  });
}
