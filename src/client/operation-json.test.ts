import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { OperationSchema } from "../protocol/gen/belay/v1/operations_pb.ts";
import { encodeStruct, STRUCT_TYPE_URL } from "../protocol/struct.ts";
import { operationToJson, responseJson } from "./operation-json.ts";

const responses: readonly (readonly [string, string, Uint8Array, unknown])[] = [
  ["a Struct", STRUCT_TYPE_URL, encodeStruct({ pages: 3, text: null }), { pages: 3, text: null }],
  ["an Empty", "type.googleapis.com/google.protobuf.Empty", new Uint8Array(), {}],
  [
    "a type that is not known here",
    "type.googleapis.com/acme.Report",
    new Uint8Array([1, 2, 3]),
    { "@type": "type.googleapis.com/acme.Report", value: "AQID" },
  ],
];

for (const [what, typeUrl, value, expected] of responses) {
  test(`a response that is ${what} is shown as JSON`, () => {
    const operation = create(OperationSchema, {
      done: true,
      result: { case: "response", value: { typeUrl, value } },
    });
    assert.deepEqual(responseJson(operation), expected);
    assert.equal(
      (operationToJson(operation) as { response: { "@type": string } }).response["@type"],
      typeUrl,
    );
  });
}

test("an operation without a response has no response JSON", () => {
  assert.equal(responseJson(create(OperationSchema, { name: "operations/a" })), undefined);
});
