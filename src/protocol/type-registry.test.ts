import assert from "node:assert/strict";
import { test } from "node:test";
import { BoolValueSchema } from "@bufbuild/protobuf/wkt";
import { HttpRuleSchema } from "./gen/google/api/http_pb.ts";
import { baseTypeRegistry, createTypeRegistry } from "./type-registry.ts";

test("the base registry knows the well-known types, error details, google.longrunning and belay.v1", () => {
  for (const name of [
    ..."Any Struct Value ListValue Empty Timestamp Duration FieldMask"
      .split(" ")
      .map((n) => `google.protobuf.${n}`),
    ..."ErrorInfo RetryInfo BadRequest PreconditionFailure QuotaFailure RequestInfo ResourceInfo Help LocalizedMessage"
      .split(" ")
      .map((n) => `google.rpc.${n}`),
    BoolValueSchema.typeName,
    "google.rpc.Status",
    "google.longrunning.Operation",
    "belay.v1.Receipt",
  ]) {
    assert.ok(baseTypeRegistry.getMessage(name), name);
  }
});

test("a service adds its own types", () => {
  assert.equal(baseTypeRegistry.getMessage("google.api.HttpRule"), undefined);
  const registry = createTypeRegistry(HttpRuleSchema, baseTypeRegistry);
  assert.ok(registry.getMessage("google.api.HttpRule"));
});
