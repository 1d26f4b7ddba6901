// The service over a real engine and store; operations stay pending, since no worker runs.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { createLogger } from "../../base/logger.ts";
import { RpcError } from "../../base/rpc-error.ts";
import { Engine } from "../../engine/engine.ts";
import type { StoredOperation } from "../../engine/operation.ts";
import {
  CancelOperationRequestSchema,
  GetOperationRequestSchema,
} from "../../protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import { SqliteStore } from "../../stores/sqlite/sqlite-store.ts";
import { type RecordedCall, recordedCall } from "../../testing/recorded-call.ts";
import { storedOperation } from "../../testing/stored-operation.ts";
import { defineService } from "../define-service.ts";
import type { Principal } from "../method.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { createYandexOperationService } from "./operation-service.ts";

const declaration = defineService({ id: "ocr", dialect: "yandex", idPrefix: "ocr", pollIntervalSeconds: 7 });

let folder: string;
let store: SqliteStore;
let engine: Engine;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "belay-yandex-"));
  const logger = createLogger("silent");
  store = await SqliteStore.open(folder, { onFatal: (line) => logger.fatal(line) });
  engine = new Engine({ store, logger });
  const { policy } = storedOperation().record;
  engine.registerType("ocr.read", policy);
  engine.registerType("ocr.fixed", { ...policy, cancel: { ...policy.cancel, cancellable: false } });
});
after(async () => {
  await engine.close();
  await store.close();
  rmSync(folder, { recursive: true });
});

async function start(type = "ocr.read", tenant = "default"): Promise<string> {
  const { operation } = await engine.start({
    service: "ocr",
    tenant,
    idPrefix: "ocr",
    parent: "",
    type,
    createdBy: "user:ada",
    origin: "test",
    description: "reads a scan",
    labels: {},
    request: null,
    metadata: null,
    requestId: "",
    requestDigest: "",
    method: "test",
    deadline: null,
  });
  return operation.record.id;
}

const ada: Principal = { id: "user:ada", tenant: "default", scopes: null, grants: null };

interface Called {
  reply: StoredOperation | null;
  error: RpcError | null;
  call: RecordedCall;
}

async function call(
  method: "get" | "cancel",
  operationId: string,
  options: { principal?: Principal; declared?: ServiceDeclaration; transport?: "grpc" | "rest" } = {},
): Promise<Called> {
  const { principal = ada, declared = declaration, transport = "grpc" } = options;
  const service = createYandexOperationService(engine, declared);
  const found = service.methods.find(({ desc }) => desc.localName === method);
  assert.ok(found);
  const schema = method === "get" ? GetOperationRequestSchema : CancelOperationRequestSchema;
  const context = recordedCall({ service: "ocr", principal, transport });
  try {
    const reply = (await found.invoke(create(schema, { operationId }), context)) as StoredOperation;
    return { reply, error: null, call: context };
  } catch (error) {
    assert.ok(error instanceof RpcError, String(error));
    return { reply: null, error, call: context };
  }
}

test("Get answers the operation, the suggested poll interval and the request id", async () => {
  const id = await start();
  const { reply, call: made } = await call("get", id);
  assert.equal(reply?.record.id, id);
  assert.equal(id.length, 20);
  assert.deepEqual(made.headers, { "x-operation-poll-interval": "7", "x-request-id": "req-1" });
  assert.deepEqual(made.trailers, {});
});

test("a declaration without a poll interval suggests none; REST tells the request id by itself", async () => {
  const declared = { ...declaration, pollIntervalSeconds: null };
  const { call: made } = await call("get", await start(), { declared, transport: "rest" });
  assert.deepEqual(made.headers, {});
});

for (const method of ["get", "cancel"] as const) {
  test(`${method}: an unknown, a malformed and a foreign id are not found, in the same words`, async () => {
    const foreign = await start("ocr.read", "globex");
    const ungranted = await start();
    const noGrants: Principal = { ...ada, grants: ["projects/p"] };
    const cases: readonly [string, Principal][] = [
      ["ocr00000000000000000", ada],
      [foreign, ada],
      [ungranted, noGrants],
      ["Ä/..", ada],
      ["", noGrants],
    ];
    for (const [id, principal] of cases) {
      const { error, call: made } = await call(method, id, { principal });
      assert.deepEqual(
        [error?.reason, error?.message, error?.parameters, error?.fieldViolations],
        ["OPERATION_NOT_FOUND", `operation operations/${id} is not found`, { name: `operations/${id}` }, []],
      );
      assert.deepEqual(made.trailers, {});
    }
  });

  test(`${method}: operation_id is required, and takes 50 characters`, async () => {
    const { error: missing } = await call(method, "");
    assert.deepEqual(missing?.fieldViolations, [{ field: "operation_id", description: "is required" }]);
    const { error: longest } = await call(method, "a".repeat(50));
    assert.equal(longest?.reason, "OPERATION_NOT_FOUND");
    const { error: tooLong } = await call(method, "a".repeat(51));
    assert.deepEqual(
      [tooLong?.reason, tooLong?.message],
      ["INVALID_FIELD", "operation_id: is 51 characters long; at most 50 are taken"],
    );
  });
}

test("Cancel answers the operation as it then is, and again unchanged", async () => {
  const id = await start();
  const first = await call("cancel", id);
  assert.deepEqual(
    [first.reply?.record.state, first.reply?.record.cancel?.requestedBy, first.reply?.record.cancel?.origin],
    ["CANCELLED", "user:ada", "yandex/grpc"],
  );
  assert.deepEqual(first.call.trailers, { "belay-cancel-verdict": "PREVENTED_START" });
  const again = await call("cancel", id);
  assert.deepEqual(again.reply?.record, first.reply?.record);
  assert.deepEqual(again.call.trailers, { "belay-cancel-verdict": "ALREADY_CANCELLED" });
});

test("a service without Cancel says so for every id", async () => {
  const declared = { ...declaration, cancellable: false };
  for (const id of [await start(), "ocr00000000000000000"]) {
    const { error, call: made } = await call("cancel", id, { declared });
    assert.deepEqual(
      [error?.reason, error?.message],
      ["CANCEL_NOT_SUPPORTED", "service ocr does not support cancelling operations"],
    );
    assert.equal(made.trailers["belay-cancel-verdict"], "REFUSED_NOT_CANCELLABLE");
  }
});

test("a type that the service or its policy says cannot be cancelled is refused by its name", async () => {
  const declared = { ...declaration, uncancellableTypes: ["ocr.read"] };
  const byService = await start();
  const byPolicy = await start("ocr.fixed");
  for (const [id, type, options] of [
    [byService, "ocr.read", { declared }],
    [byPolicy, "ocr.fixed", {}],
  ] as const) {
    const { error, call: made } = await call("cancel", id, options);
    assert.equal(error?.message, `operation operations/${id} of type ${type} cannot be cancelled`);
    assert.equal(made.trailers["belay-cancel-verdict"], "REFUSED_NOT_CANCELLABLE");
  }
  assert.equal((await call("get", byService)).reply?.record.state, "PENDING");
  assert.equal(
    (await call("cancel", "ocr00000000000000000", { declared })).error?.reason,
    "OPERATION_NOT_FOUND",
  );
});
