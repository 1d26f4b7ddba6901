// An Any of a type that is not known here: real REST clients throw on one, so it is shown as bytes and never breaks
// the answer for the others.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import type { Payload } from "../../../src/engine/operation.ts";
import { OperationSchema as NativeOperationSchema } from "../../../src/protocol/gen/belay/v1/operations_pb.ts";
import {
  GetOperationRequestSchema,
  OperationSchema,
} from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { callGrpc, grpcLroClient, restLroClient } from "./lro-client.ts";
import { type LroWorld, startWorld } from "./lro-world.ts";

let world: LroWorld;
before(async () => {
  world = await startWorld();
});
after(() => world[Symbol.asyncDispose]());

interface Shown {
  response?: unknown;
}

const bytes = Buffer.from([1, 2, 3, 255]);
const rows: readonly [string, Payload, unknown][] = [
  [
    "a foreign type",
    { typeUrl: "example.com/foo.Bar", bytes },
    { "@type": "example.com/foo.Bar", value: "AQID/w==" },
  ],
  ["a type URL without a slash", { typeUrl: "foo.Bar", bytes }, { "@type": "foo.Bar", value: "AQID/w==" }],
  // Only ever compared: never fetched, never opened.
  [
    "a type URL of a server",
    { typeUrl: "http://127.0.0.1:1/x", bytes },
    { "@type": "http://127.0.0.1:1/x", value: "AQID/w==" },
  ],
  [
    "a type URL of a file",
    { typeUrl: "../../etc/passwd", bytes },
    { "@type": "../../etc/passwd", value: "AQID/w==" },
  ],
  [
    "a known type with broken bytes",
    { typeUrl: "type.googleapis.com/google.rpc.Status", bytes },
    { "@type": "type.googleapis.com/google.rpc.Status", value: "AQID/w==" },
  ],
  [
    "a well-known type",
    {
      typeUrl: "type.googleapis.com/google.protobuf.Timestamp",
      bytes: toBinary(TimestampSchema, create(TimestampSchema, { seconds: 1n })),
    },
    { "@type": "type.googleapis.com/google.protobuf.Timestamp", value: "1970-01-01T00:00:01Z" },
  ],
];

for (const [what, payload, json] of rows) {
  test(`a response of ${what} is answered on every surface, and its bytes are untouched on gRPC`, async () => {
    const name = await world.insertDone(payload);
    const get = await fetch(`${world.url}/v1/${name}`);
    assert.deepEqual([get.status, ((await get.json()) as Shown).response], [200, json]);
    const native = await fetch(`${world.url}/belay/v1/${name}`);
    assert.deepEqual([native.status, ((await native.json()) as Shown).response], [200, json]);
    const list = await fetch(`${world.url}/v1/operations?pageSize=1000`);
    const { operations } = (await list.json()) as { operations: { name: string; response?: unknown }[] };
    assert.deepEqual(operations.find((operation) => operation.name === name)?.response, json);

    const request = toBinary(GetOperationRequestSchema, create(GetOperationRequestSchema, { name }));
    const google = await callGrpc(world.grpc, "/google.longrunning.Operations/GetOperation", request);
    const { result } = fromBinary(OperationSchema, google.bytes);
    assert.ok(result.case === "response");
    assert.deepEqual(
      [result.value.typeUrl, Buffer.from(result.value.value)],
      [payload.typeUrl, Buffer.from(payload.bytes)],
    );
    const full = await callGrpc(world.grpc, "/belay.v1.Operations/GetOperation", request);
    assert.equal(fromBinary(NativeOperationSchema, full.bytes).result.case, "response");
    for (const client of [grpcLroClient(world.grpc), restLroClient(world.url)]) {
      assert.ok((await client.list({ pageSize: 1000 })).names.includes(name));
      assert.equal((await client.wait(name)).done, true);
    }
  });
}
