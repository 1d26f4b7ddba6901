import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, fromJson, type JsonObject, toBinary, toJson } from "@bufbuild/protobuf";
import { emptyPayload } from "../../protocol/empty.ts";
import { STRUCT_TYPE_URL, structPayload } from "../../protocol/struct.ts";
import { typeUrlOf } from "../../protocol/typed-payload.ts";
import { createPayloadCodec } from "./payload-codec.ts";
import { diskDeclaration, fixtureMessage, shopDeclaration } from "./shop-service.fixture.ts";

const codec = createPayloadCodec([shopDeclaration(), diskDeclaration()]);
const request = fixtureMessage("CreateOrderRequest");
const order = fixtureMessage("Order");

function requestPayload(json: JsonObject): { typeUrl: string; bytes: Uint8Array } {
  return { typeUrl: typeUrlOf(request), bytes: toBinary(request, fromJson(request, json)) };
}

test("a handler gets the ProtoJSON of a typed request", () => {
  const json = { parent: "shops/s", order: { title: "Tea", price: "12" }, options: { gift: true } };
  assert.deepEqual(codec.decodeRequest("shop", requestPayload(json)), json);
});

test("a handler gets the JSON of a plain request as it was given", () => {
  assert.deepEqual(codec.decodeRequest("shop", structPayload({ a: [1, null] })), { a: [1, null] });
  assert.deepEqual(codec.decodeRequest("elsewhere", structPayload({ a: 1 })), { a: 1 });
});

test("a request of a type that is not declared any more is shown with its bytes", () => {
  const payload = requestPayload({ parent: "shops/s" });
  const json = { "@type": typeUrlOf(request), value: Buffer.from(payload.bytes).toString("base64") };
  assert.deepEqual(codec.decodeRequest("disk", payload), json);
  assert.deepEqual(codec.decodeRequest("elsewhere", payload), json);
  const broken = { typeUrl: typeUrlOf(request), bytes: Buffer.of(0xff) };
  assert.deepEqual(codec.decodeRequest("shop", broken), { "@type": typeUrlOf(request), value: "/w==" });
});

test("an answer becomes a message of the declared response", () => {
  const payload = codec.responseEncoder("shop", "shop.create-order")({ title: "Tea", price: 12, amount: 2 });
  assert.equal(payload.typeUrl, "type.googleapis.com/shop.v1.Order");
  assert.deepEqual(toJson(order, fromBinary(order, payload.bytes)), { title: "Tea", price: "12", amount: 2 });
});

test("no answer becomes an empty message of the declared response", () => {
  assert.deepEqual(codec.responseEncoder("shop", "shop.create-order")(null), {
    typeUrl: typeUrlOf(order),
    bytes: new Uint8Array(0),
  });
  assert.deepEqual(codec.responseEncoder("disk", "disk.erase")(null), emptyPayload);
});

const misfits: readonly [string, string, JsonObject, RegExp][] = [
  ["an unknown field", "shop.create-order", { color: "red" }, /is no shop\.v1\.Order: .*"color" is unknown/],
  [
    "a value of another type",
    "shop.create-order",
    { title: 5 },
    /is no shop\.v1\.Order: .*shop\.v1\.Order\.title/,
  ],
  ["a number out of range", "shop.create-order", { amount: 2 ** 31 }, /shop\.v1\.Order\.amount/],
  [
    "anything in Empty",
    "shop.delete-order",
    { done: true },
    /is no google\.protobuf\.Empty: .*"done" is unknown/,
  ],
];

for (const [what, type, response, message] of misfits) {
  test(`${what} is refused, and the type and the field are named`, () => {
    assert.throws(() => codec.responseEncoder("shop", type)(response), { reason: "INVALID_FIELD", message });
  });
}

test("a response above 256 KiB is refused", () => {
  assert.throws(() => codec.responseEncoder("shop", "shop.create-order")({ title: "a".repeat(262_144) }), {
    reason: "PAYLOAD_TOO_LARGE",
  });
});

test("types without a start method keep plain JSON", () => {
  for (const [service, type] of [
    ["shop", "shop.other"],
    ["elsewhere", "shop.create-order"],
  ] as const) {
    assert.equal(codec.responseEncoder(service, type)({ a: 1 }).typeUrl, STRUCT_TYPE_URL);
    assert.deepEqual(codec.responseEncoder(service, type)(null), emptyPayload);
  }
});
