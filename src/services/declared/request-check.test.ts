import assert from "node:assert/strict";
import { test } from "node:test";
import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { RpcError } from "../../base/rpc-error.ts";
import { requestCheckOf } from "./request-check.ts";
import { field, fixtureMessage, limited, registryOfFile } from "./shop-service.fixture.ts";

/** The violations of a request, as `field: description`. */
function violationsOf(name: string, json: JsonObject): string[] {
  const desc = fixtureMessage(name);
  try {
    requestCheckOf(desc)(reflect(desc, fromJson(desc, json)));
    return [];
  } catch (error) {
    assert.ok(error instanceof RpcError);
    assert.equal(error.reason, "INVALID_FIELD");
    assert.equal(error.parameters["field"], error.fieldViolations[0]?.field);
    return error.fieldViolations.map((one) => `${one.field}: ${one.description}`);
  }
}

const disk = { diskId: "d1", maximum: true };

const rows: readonly { what: string; name: string; json: JsonObject; violations: string[] }[] = [
  {
    what: "all that is required",
    name: "CreateOrderRequest",
    json: { parent: "shops/s", order: {} },
    violations: [],
  },
  {
    what: "every required field that is missing",
    name: "CreateOrderRequest",
    json: {},
    violations: ["parent: is required", "order: is required"],
  },
  { what: "what Yandex requires", name: "ResizeRequest", json: disk, violations: [] },
  {
    what: "a missing id and a oneof without a case",
    name: "ResizeRequest",
    json: {},
    violations: ["disk_id: is required", "target: one of size, maximum is required"],
  },
  {
    what: "a text that is too long",
    name: "ResizeRequest",
    json: { ...disk, diskId: "d".repeat(51) },
    violations: ["disk_id: is 51 characters long; it takes <=50"],
  },
  {
    what: "characters, not UTF-16 units",
    name: "ResizeRequest",
    json: { ...disk, diskId: "\u{1f600}".repeat(50) },
    violations: [],
  },
  {
    what: "a number out of its range",
    name: "ResizeRequest",
    json: { diskId: "d1", size: "4097" },
    violations: ["size: is 4097; it takes 1-4096"],
  },
  {
    what: "a text of another form",
    name: "ResizeRequest",
    json: { ...disk, name: "Data" },
    violations: ["name: is not of the form |[a-z][-a-z0-9]{1,61}[a-z0-9]"],
  },
  {
    what: "a list that is too long, with elements that do not fit, one of them twice",
    name: "ResizeRequest",
    json: { ...disk, tags: ["a", "much too long", "a", "b"] },
    violations: [
      "tags: has 4 elements; it takes <=3",
      "tags: has an element twice",
      "tags[1]: is 13 characters long; it takes 1-8",
    ],
  },
  {
    what: "bytes that are too long",
    name: "ResizeRequest",
    json: { ...disk, key: "AAECAwQ=" },
    violations: ["key: is 5 bytes long; it takes <=4"],
  },
  {
    what: "messages within messages, also in one that holds itself",
    name: "ResizeRequest",
    json: { ...disk, schedule: { zone: "a", next: { hour: 24 } } },
    violations: ["schedule.next.hour: is 24; it takes 0-23", "schedule.next.zone: is required"],
  },
];

for (const { what, name, json, violations } of rows) {
  test(`${name}: ${what}`, () => assert.deepEqual(violationsOf(name, json), violations));
}

test("at most 50 violations are told", () => {
  const tags = Array.from({ length: 60 }, (_, i) => `tag number ${i}`);
  assert.equal(violationsOf("ResizeRequest", { ...disk, tags }).length, 50);
});

for (const [option, expected] of [
  [{ length: "up to 5" }, 'length is "up to 5"; expected a range such as "<=50" or "3-63"'],
  [{ pattern: "[a-" }, 'pattern is "[a-"; expected a regular expression of JavaScript'],
] as const) {
  test(`an unreadable rule is an error at start: ${JSON.stringify(option)}`, () => {
    const registry = registryOfFile({
      name: "rules/v1/rules.proto",
      package: "rules.v1",
      messageType: [{ name: "Request", field: [field(1, "string", "text", limited(option))] }],
    });
    const desc = registry.getMessage("rules.v1.Request");
    assert.ok(desc);
    assert.throws(() => requestCheckOf(desc), {
      name: "StartMethodError",
      message: `rules/v1/rules.proto: rules.v1.Request.text: ${expected}`,
    });
  });
}
