// What a service says of its cancels, on each of its surfaces, over a real engine and store. Operations stay pending.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { RpcError } from "../base/rpc-error.ts";
import { recordedCall } from "../testing/recorded-call.ts";
import { startTestServer, type TestServer } from "../testing/test-server.ts";
import { defineOperation } from "../worker/worker.ts";
import { defineService } from "./define-service.ts";
import { createOperationsService } from "./google/operations-service.ts";
import type { ServiceDefinition } from "./method.ts";
import { createNativeOperationsService } from "./native/operations-service.ts";
import type { ServiceDeclaration } from "./service-declaration.ts";
import { createYandexOperationService } from "./yandex/operation-service.ts";

let server: TestServer;
before(async () => {
  const parked = ["ops.put", "ops.count"].map((type) => defineOperation({ type }, async () => undefined));
  server = await startTestServer({ parked });
});
after(() => server.close());

/** The surfaces with a Cancel, and the field that names the operation there. */
const surfaces: readonly [
  string,
  "name" | "operationId",
  (declared: ServiceDeclaration) => ServiceDefinition,
][] = [
  ["google", "name", (declared) => createOperationsService(server.engine, declared)],
  ["yandex", "operationId", (declared) => createYandexOperationService(server.engine, declared)],
  [
    "native",
    "name",
    (declaration) =>
      createNativeOperationsService(server.engine, {
        declaration,
        clock: server.engine.clock,
        isStartable: () => true,
        types: () => [],
      }),
  ],
];

async function start(type: string): Promise<string> {
  const { operation } = await server.engine.start({
    service: "ops",
    tenant: "default",
    idPrefix: "ops",
    parent: "",
    type,
    createdBy: "user:ada",
    origin: "test",
    description: "",
    labels: {},
    request: null,
    metadata: null,
    requestId: "",
    requestDigest: "",
    method: "test",
    deadline: null,
  });
  return operation.record.name;
}

const stateOf = async (name: string): Promise<string> =>
  (await server.engine.get({ service: "ops", tenant: "default", name })).record.state;

for (const [surface, field, serviceOf] of surfaces) {
  /** Why a cancel is refused, or "taken". */
  async function cancel(name: string, settings: Partial<ServiceDeclaration>): Promise<string> {
    const { methods } = serviceOf(defineService({ id: "ops", ...settings }));
    const method = methods.find(({ desc }) => desc.name.startsWith("Cancel"));
    assert.ok(method);
    const id = field === "name" ? name : name.replace("operations/", "");
    try {
      await method.invoke(create(method.desc.input, { [field]: id }), recordedCall({ service: "ops" }));
      return "taken";
    } catch (error) {
      assert.ok(error instanceof RpcError, String(error));
      return error.reason;
    }
  }

  test(`${surface}: a service without Cancel says so for what is there and what is not, and cancels nothing`, async () => {
    const name = await start("ops.put");
    assert.equal(await cancel(name, { cancellable: false }), "CANCEL_NOT_SUPPORTED");
    assert.equal(await cancel("operations/absent", { cancellable: false }), "CANCEL_NOT_SUPPORTED");
    assert.equal(await stateOf(name), "PENDING");
  });

  test(`${surface}: a type that the service declares so is not cancelled, though its operation began before that`, async () => {
    const [put, count] = [await start("ops.put"), await start("ops.count")];
    const settings = { uncancellableTypes: ["ops.put"] };
    assert.equal(await cancel(put, settings), "OPERATION_NOT_CANCELLABLE");
    assert.equal(await stateOf(put), "PENDING");
    assert.equal(await cancel("operations/absent", settings), "OPERATION_NOT_FOUND");
    assert.equal(await cancel(count, settings), "taken");
    assert.equal(await stateOf(count), "CANCELLED");
  });
}
