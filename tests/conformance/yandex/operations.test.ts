// yandex.cloud.operation.OperationService, line by line: what Get and Cancel answer, the same on gRPC and REST.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { toJson } from "@bufbuild/protobuf";
import { OperationSchema } from "../../../src/protocol/gen/yandex/cloud/operation/operation_pb.ts";
import { baseTypeRegistry as registry } from "../../../src/protocol/type-registry.ts";
import {
  callOperation,
  type JsonOperation,
  operationOf,
  startYandexWorld,
  type YandexWorld,
} from "./yandex-world.ts";

let world: YandexWorld;
before(async () => {
  world = await startYandexWorld();
});
after(() => world[Symbol.asyncDispose]());

interface Surface {
  get(id: string): Promise<JsonOperation>;
  /** With the verdict. */
  cancel(id: string): Promise<{ operation: JsonOperation; verdict: string }>;
}

const grpc: Surface = {
  async get(id) {
    const { operation } = await callOperation(world.grpc("ocr"), "Get", id);
    return {
      ...(toJson(OperationSchema, operation, { registry }) as object),
      done: operation.done,
    } as JsonOperation;
  },
  async cancel(id) {
    const { operation, trailers } = await callOperation(world.grpc("ocr"), "Cancel", id);
    const json = toJson(OperationSchema, operation, { registry }) as object;
    return {
      operation: { ...json, done: operation.done } as JsonOperation,
      verdict: String(trailers.get("belay-cancel-verdict")[0]),
    };
  },
};
const restBy = (method: "GET" | "POST"): Surface => ({
  get: async (id) => operationOf(await world.rest("ocr", "GET", `/operations/${id}`)),
  async cancel(id) {
    const reply = await world.rest("ocr", method, `/operations/${id}:cancel`);
    return { operation: operationOf(reply), verdict: reply.headers["belay-cancel-verdict"] ?? "" };
  },
});

const surfaces: readonly [string, Surface][] = [
  ["gRPC", grpc],
  ["REST by POST", restBy("POST")],
  ["REST by GET", restBy("GET")],
];

for (const [surface, client] of surfaces) {
  test(`${surface}: a running operation has its six fields, done: false, and no result`, async () => {
    const id = await world.startRunning("ocr");
    const operation = await client.get(id);
    assert.deepEqual(Object.keys(operation).sort(), ["createdAt", "createdBy", "done", "id", "modifiedAt"]);
    assert.deepEqual([operation.id, operation.createdBy, operation.done], [id, "user:ada", false]);
    assert.match(id, /^ocr[a-z0-9]{17}$/);
    for (const time of [operation.createdAt, operation.modifiedAt]) {
      assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.(\d{3}){1,3})?Z$/);
    }
    world.finish(id);
  });

  test(`${surface}: cancel of a running operation answers it undone and without an error`, async () => {
    const id = await world.startRunning("ocr", "test.stubborn");
    const { operation, verdict } = await client.cancel(id);
    assert.deepEqual(
      [operation.id, operation.done, operation.error, verdict],
      [id, false, undefined, "STOPPING"],
    );
    // Clients' waiters reject as soon as there is an error: there is none while the work is stopping.
    const stopping = await client.get(id);
    assert.deepEqual([stopping.done, stopping.error, stopping.response], [false, undefined, undefined]);
    const again = await client.cancel(id);
    // Its time may move on: the worker's word that it was told is a visible change.
    const expected = { ...stopping, modifiedAt: again.operation.modifiedAt };
    assert.deepEqual([again.operation, again.verdict], [expected, "ALREADY_STOPPING"]);
    world.finish(id);
    await world.waitDone("ocr", id);
    assert.deepEqual((await client.get(id)).response, {
      "@type": "type.googleapis.com/google.protobuf.Struct",
      value: { ended: true },
    });
  });

  test(`${surface}: a cancelled operation ends with done: true and error.code 1, and is not deleted`, async () => {
    const id = await world.startRunning("ocr");
    const before = await client.get(id);
    await client.cancel(id);
    await world.waitDone("ocr", id);
    const { error, ...rest } = await client.get(id);
    assert.equal(error?.code, 1);
    assert.notEqual(error?.message, "");
    assert.equal(error?.details, undefined);
    assert.deepEqual(rest, { ...before, modifiedAt: rest.modifiedAt, done: true });
    assert.ok(rest.modifiedAt > before.modifiedAt);
  });

  test(`${surface}: cancel of a done operation is OK and answers it unchanged`, async () => {
    const cases: readonly [string, string, string][] = [
      [await world.startDone("ocr"), "response", "TOO_LATE_SUCCEEDED"],
      [await world.startDone("ocr", "test.fail", { payload: { code: 9 } }), "error", "TOO_LATE_FAILED"],
    ];
    const cancelled = await world.startRunning("ocr");
    await client.cancel(cancelled);
    await world.waitDone("ocr", cancelled);
    for (const [id, result, expected] of [...cases, [cancelled, "error", "ALREADY_CANCELLED"] as const]) {
      const done = await client.get(id);
      const { operation, verdict } = await client.cancel(id);
      assert.deepEqual([operation, verdict], [done, expected]);
      assert.deepEqual([operation.done, result in operation], [true, true]);
      assert.deepEqual(await client.get(id), done);
    }
  });

  test(`${surface}: a failed operation has the code and message of its failure`, async () => {
    const id = await world.startDone("ocr", "test.fail", { payload: { code: 9 } });
    assert.deepEqual((await client.get(id)).error, { code: 9, message: "the work failed" });
  });

  test(`${surface}: success without a result is google.protobuf.Empty`, async () => {
    const id = await world.startDone("ocr", "test.empty");
    assert.deepEqual((await client.get(id)).response, {
      "@type": "type.googleapis.com/google.protobuf.Empty",
    });
  });

  test(`${surface}: a description has 0 to 256 characters`, async () => {
    for (const description of ["a", "Распознавание 🦀", "x".repeat(256)]) {
      const id = await world.startDone("ocr", "test.echo", { description });
      assert.equal((await client.get(id)).description, description);
    }
  });
}

test("gRPC and REST tell the same operation", async () => {
  const running = await world.startRunning("ocr");
  const done = await world.startDone("ocr", "test.echo", { payload: { pages: 3 }, description: "a scan" });
  for (const id of [running, done]) assert.deepEqual(await grpc.get(id), await restBy("GET").get(id));
  world.finish(running);
});

test("the JSON text of a running and of a done operation, to the byte", async () => {
  const running = await world.startRunning("ocr");
  const text = (await world.rest("ocr", "GET", `/operations/${running}`)).text;
  const { createdAt, modifiedAt } = JSON.parse(text) as JsonOperation;
  assert.equal(
    text,
    `{"id":"${running}","createdAt":"${createdAt}","createdBy":"user:ada","modifiedAt":"${modifiedAt}","done":false}`,
  );
  const cancelled = await world.rest("ocr", "GET", `/operations/${running}:cancel`);
  assert.match(
    cancelled.text,
    /^\{"id":"ocr[a-z0-9]{17}",.*,"done":(false|true,"error":\{"code":1,"message":"[^"]+"\})\}$/,
  );
  await world.waitDone("ocr", running);
  const done = JSON.parse((await world.rest("ocr", "GET", `/operations/${running}`)).text) as JsonOperation;
  assert.equal(
    (await world.rest("ocr", "GET", `/operations/${running}`)).text,
    `{"id":"${running}","createdAt":"${createdAt}","createdBy":"user:ada","modifiedAt":"${done.modifiedAt}",` +
      `"done":true,"error":${JSON.stringify(done.error)}}`,
  );
});
