import assert from "node:assert/strict";
import { test } from "node:test";
import { AllKinds } from "../protocol/library-service.fixture.ts";
import { queryFields } from "./query-fields.ts";

function names(path: string, body: string): string[] {
  return queryFields(AllKinds, { httpMethod: "GET", path, body }).map(({ name }) => name);
}

test("fields of a text form are parameters, nested ones by their path; maps, lists of messages and Struct are not", () => {
  const found = names("/v1/search", "");
  for (const name of [
    "text",
    "int32Value",
    "words",
    "colors",
    "time",
    "boxedInt",
    "inner.pageCount",
    "inner.length",
  ]) {
    assert.ok(found.includes(name), name);
  }
  for (const name of ["labels", "inners", "struct", "any", "durations", "inner", "nested"]) {
    assert.ok(!found.includes(name), name);
  }
});

test("a message that holds itself is told once", () => {
  const found = names("/v1/search", "");
  assert.equal(found.includes("inner.inner.name"), false);
  assert.equal(found.includes("nested.text"), false);
  assert.equal(new Set(found).size, found.length);
});

test("what the path or the body binds is no parameter", () => {
  const found = names("/v1/{inner.name=things/*}/{text}", "words");
  for (const name of ["inner.name", "text", "words"]) assert.equal(found.includes(name), false);
  assert.ok(found.includes("inner.color"));
  assert.deepEqual(names("/v1/things", "*"), []);
});
