import assert from "node:assert/strict";
import { test } from "node:test";
import { yandexHttpRules } from "./http-rules.ts";

const GET = { get: "/operations/{operation_id}:cancel", encodedVerb: true };
const POST = { post: "/operations/{operation_id}:cancel", body: "*", encodedVerb: true };

test("cancel is served by POST and by GET, each with the escaped verb too", () => {
  assert.deepEqual(yandexHttpRules({ restPrefix: "", getCancels: true }), {
    Get: [{ get: "/operations/{operation_id}" }],
    Cancel: [POST, GET],
  });
});

test("with GET switched off POST is left", () => {
  assert.deepEqual(yandexHttpRules({ restPrefix: "", getCancels: false })["Cancel"], [POST]);
});

test("a prefix stands in front of every path", () => {
  const rules = yandexHttpRules({ restPrefix: "/yc", getCancels: true });
  assert.deepEqual(
    Object.values(rules).flatMap((list) => list.map(({ get, post }) => get ?? post)),
    [
      "/yc/operations/{operation_id}",
      "/yc/operations/{operation_id}:cancel",
      "/yc/operations/{operation_id}:cancel",
    ],
  );
});
