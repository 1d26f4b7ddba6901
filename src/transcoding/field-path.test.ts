import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toJson } from "@bufbuild/protobuf";
import { AllKinds } from "../protocol/library-service.fixture.ts";
import { findField, holderOf, resolveFieldPath } from "./field-path.ts";

test("fields are found by proto name and by JSON name, and by nothing else", () => {
  assert.equal(findField(AllKinds, "int32_value"), findField(AllKinds, "int32Value"));
  for (const name of ["Int32Value", "__proto__", "constructor", "toString", "", "choice"]) {
    assert.equal(findField(AllKinds, name), undefined, name);
  }
});

test("a path is resolved to proto names; only singular messages of fields have parts", () => {
  assert.equal(resolveFieldPath(AllKinds, "inner.inner.pageCount")?.text, "inner.inner.page_count");
  assert.equal(resolveFieldPath(AllKinds, "text")?.leaf.name, "text");
  for (const path of [
    "",
    ".",
    "text.",
    ".text",
    "inner..name",
    "text.x",
    "inners.name",
    "labels.a",
    "things.a",
    "time.seconds",
    "struct.a",
    "boxed_int.value",
  ]) {
    assert.equal(resolveFieldPath(AllKinds, path), null, path);
  }
});

test("the holder of a nested field is made once and set", () => {
  const message = create(AllKinds);
  const path = resolveFieldPath(AllKinds, "inner.inner.name")!;
  holderOf(AllKinds, message, path).set(path.leaf, "a");
  const other = resolveFieldPath(AllKinds, "inner.inner.page_count")!;
  holderOf(AllKinds, message, other).set(other.leaf, 2);
  assert.deepEqual(toJson(AllKinds, message), { inner: { inner: { name: "a", pageCount: 2 } } });
});
