// What a type's own check says before its operation is stored: over a real engine, called as the listeners call it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { RpcError } from "../base/rpc-error.ts";
import { Operations, StartOperationRequestSchema } from "../protocol/gen/belay/v1/operations_pb.ts";
import { recordedCall } from "../testing/recorded-call.ts";
import { startTestServer, type TestServer } from "../testing/test-server.ts";
import { defineOperation, type FieldViolation } from "../worker/worker.ts";
import { defaultService } from "./builtin/default.ts";
import { fixtureMethod, shopDeclaration } from "./declared/shop-service.fixture.ts";
import { createStartServices } from "./declared/start-services.ts";
import type { ServiceDefinition } from "./method.ts";
import { createNativeOperationsService, createStarterService } from "./native/operations-service.ts";

const checked: JsonObject[] = [];

function check(input: JsonObject): readonly FieldViolation[] {
  checked.push(input);
  const { broken, many = 0 } = input;
  if (broken === "throw") throw new RpcError("OPERATION_NOT_FOUND", { name: "secret" });
  if (broken === "answer") return Promise.resolve([]) as never;
  if (broken === "whole") return [{ field: "", description: "is not taken" }];
  return Array.from({ length: Number(many) }, (_, i) => ({
    field: `items[${i}]`,
    description: "is too heavy",
  }));
}

const shop = shopDeclaration();
let server: TestServer;
before(async () => {
  const create = (input: JsonObject): readonly FieldViolation[] =>
    input["orderId"] === "bad" ? [{ field: "order_id", description: "is taken" }] : check(input);
  server = await startTestServer({
    parked: [
      defineOperation({ type: "checked.work", check }, async () => undefined),
      defineOperation({ type: "shop.create-order", check: create }, async () => undefined),
    ],
  });
});
after(() => server.close());

function native(): ServiceDefinition[] {
  const { engine } = server;
  const rules = {
    declaration: defaultService,
    clock: engine.clock,
    isStartable: (type: string) => engine.hasType(type),
    types: () => engine.types,
  };
  return [createNativeOperationsService(engine, rules), createStarterService(engine, rules)];
}

async function stored(): Promise<number> {
  const all = { service: "default", tenant: "default", parent: "", filter: "", pageSize: 100, pageToken: "" };
  return (await server.engine.list(all)).operations.length;
}

async function start(payload: JsonObject, service = 0, changes = {}): Promise<unknown> {
  const definition = native()[service];
  const method = definition?.methods.find(({ desc }) => desc.name === Operations.method.startOperation.name);
  assert.ok(method);
  const request = fromJson(StartOperationRequestSchema, { type: "checked.work", payload });
  return method.invoke(request, recordedCall(changes));
}

for (const [service, name] of ["belay.v1.Operations", "belay.v1.OperationStarter"].entries()) {
  test(`${name} refuses what the check finds, with every violation, and stores nothing`, async () => {
    const before = await stored();
    await assert.rejects(start({ many: 2 }, service), {
      code: 3,
      reason: "INVALID_FIELD",
      message: "payload.items[0]: is too heavy",
      fieldViolations: [
        { field: "payload.items[0]", description: "is too heavy" },
        { field: "payload.items[1]", description: "is too heavy" },
      ],
    });
    assert.equal(await stored(), before);
    await start({ many: 0 }, service);
    assert.equal(await stored(), before + 1);
  });
}

test("at most 50 violations are told, and one of the whole payload names the payload", async () => {
  await assert.rejects(
    start({ many: 60 }),
    (error) => error instanceof RpcError && error.fieldViolations.length === 50,
  );
  await assert.rejects(start({ broken: "whole" }), { message: "payload: is not taken" });
});

test("a check that throws, or answers no list, is an internal error whose cause is for the log alone", async () => {
  for (const [broken, cause] of [
    ["throw", "secret"],
    ["answer", "no list of field violations"],
  ] as const) {
    await assert.rejects(start({ broken }), (error) => {
      const told = RpcError.from(error, "req-1");
      assert.deepEqual([told.code, told.reason, told.isInternal], [13, "INTERNAL_ERROR", true]);
      assert.equal(told.message.includes("secret"), false);
      const { message, cause: inner } = told.cause as Error;
      assert.match(`${message} ${inner}`, /checked\.work/);
      assert.match(`${message} ${inner}`, new RegExp(cause));
      return true;
    });
  }
});

test("who may not start is told so before the check is asked", async () => {
  const count = checked.length;
  const principal = { id: "a", tenant: "default", scopes: null, grants: ["projects/p"] };
  await assert.rejects(start({ many: 1 }, 0, { principal }), { reason: "IAM_PERMISSION_DENIED" });
  assert.equal(checked.length, count);
});

test("the check of a start method gets the JSON that the handler gets, after the request's own rules", async () => {
  const [definition] = createStartServices(server.engine, shop);
  const method = definition?.methods.find(({ desc }) => desc.name === "CreateOrder");
  assert.ok(method);
  const call = async (request: JsonObject): Promise<unknown> =>
    await method.invoke(
      fromJson(fixtureMethod("CreateOrder").input, request),
      recordedCall({ service: "shop" }),
    );
  const request = { parent: "shops/s1", order: { title: "Tea" } };
  await call({ ...request, orderId: "good", options: { gift: true } });
  assert.deepEqual(checked.at(-1), { ...request, orderId: "good", options: { gift: true } });
  await assert.rejects(call({ ...request, orderId: "bad", validateOnly: true }), {
    reason: "INVALID_FIELD",
    message: "order_id: is taken",
  });
  const count = checked.length;
  await assert.rejects(call({ parent: "shops/s1" }), { reason: "INVALID_FIELD" });
  assert.equal(checked.length, count);
});
