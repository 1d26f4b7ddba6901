import assert from "node:assert/strict";
import { test } from "node:test";
import { methodKinds } from "../../services/service-declaration.ts";
import { shedShareOf } from "./shed-order.ts";

test("lists and watches go first, then waits, gets, starts; what frees work never goes", () => {
  const shares = Object.fromEntries(methodKinds.map((kind) => [kind, shedShareOf(kind)]));
  assert.deepEqual(shares, {
    ...{ list: 0.6, watch: 0.6, wait: 0.75, get: 0.9, start: 1 },
    ...{ cancel: null, force: null, delete: null, work: null },
  });
});
