import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { initialMetadataOf } from "./initial-metadata.ts";
import { diskDeclaration, shopDeclaration } from "./shop-service.fixture.ts";
import { startMethodsOf } from "./start-methods.ts";

const methods = [...startMethodsOf(shopDeclaration()), ...startMethodsOf(diskDeclaration())];

function metadataOf(name: string, request: JsonObject): unknown {
  const method = methods.find(({ desc }) => desc.name === name);
  assert.ok(method);
  const { desc, metadata } = method;
  const payload = initialMetadataOf(method)(reflect(desc.input, fromJson(desc.input, request)));
  return payload && metadata ? toJson(metadata, fromBinary(metadata, payload.bytes)) : payload;
}

const details = { createOrderDetails: {} };

const rows: readonly [string, string, JsonObject, unknown][] = [
  [
    "fields of the same name and type are copied",
    "CreateOrder",
    { orderId: "o1" },
    { orderId: "o1", ...details },
  ],
  ["a field of the same name and another type is not", "CreateOrder", { parent: "shops/s" }, details],
  ["messages are copied", "CreateOrder", { options: { a: [1] } }, { options: { a: [1] }, ...details }],
  ["what is not set stays unset", "CreateOrder", {}, details],
  ["a text above 4 KiB is left out", "CreateOrder", { orderId: "a".repeat(4097) }, details],
  ["a message above 4 KiB is left out", "CreateOrder", { options: { a: "a".repeat(4096) } }, details],
  ["the method tells the details", "DeleteOrder", { name: "x" }, { deleteDetails: {} }],
  ["Yandex's resource id is copied", "Resize", { diskId: "d1" }, { diskId: "d1" }],
  ["without a metadata type there is none", "UpdateOrder", {}, null],
];

for (const [claim, name, request, metadata] of rows) {
  test(`${name}: ${claim}`, () => assert.deepEqual(metadataOf(name, request), metadata));
}
