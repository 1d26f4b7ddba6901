// Start methods over a real engine and store, called as the listeners call them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { RpcError } from "../../base/rpc-error.ts";
import type { StoredOperation } from "../../engine/operation.ts";
import type { ListPage } from "../../engine/store.ts";
import { VaultService } from "../../protocol/gen/vault/v1/vault_service_pb.ts";
import { recordedCall } from "../../testing/recorded-call.ts";
import { startTestServer, type TestServer } from "../../testing/test-server.ts";
import { defineOperation } from "../../worker/worker.ts";
import { defineService } from "../define-service.ts";
import type { CallContext, ServiceMethod } from "../method.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { diskDeclaration, fixtureMethod, shopDeclaration } from "./shop-service.fixture.ts";
import { createStartServices } from "./start-services.ts";

let server: TestServer;
before(async () => {
  const parked = ["shop.create-order", "shop.delete-order", "disk.resize", "disk.erase"];
  server = await startTestServer({
    parked: parked.map((type) => defineOperation({ type }, async () => undefined)),
  });
});
after(() => server.close());

const shop = shopDeclaration();
const disk = diskDeclaration();

function methodOf(declaration: ServiceDeclaration, name: string): ServiceMethod {
  const methods = createStartServices(server.engine, declaration).flatMap((one) => one.methods);
  const method = methods.find(({ desc }) => desc.name === name);
  assert.ok(method, name);
  return method;
}

async function call(
  declaration: ServiceDeclaration,
  name: string,
  request: JsonObject,
  context: Parameters<typeof recordedCall>[0] = {},
): Promise<unknown> {
  const method = methodOf(declaration, name);
  const message = fromJson(fixtureMethod(name).input, request);
  return method.invoke(message, recordedCall({ service: declaration.id, ...context }));
}

async function start(
  declaration: ServiceDeclaration,
  name: string,
  request: JsonObject,
  context: Parameters<typeof recordedCall>[0] = {},
): Promise<{ stored: StoredOperation; json: Record<string, unknown> }> {
  const stored = (await call(declaration, name, request, context)) as StoredOperation;
  return { stored, json: JSON.parse(methodOf(declaration, name).encodeJson(stored)) };
}

const order = { parent: "shops/s1", order: { title: "Tea" } };

test("only start methods, and Yandex's ListOperations, are served", () => {
  const names = (declaration: ServiceDeclaration): string[] =>
    createStartServices(server.engine, declaration).flatMap(({ desc, methods }) =>
      methods.map((method) => `${desc.typeName}.${method.desc.name} ${method.kind}`),
    );
  assert.deepEqual(names(shop), [
    "shop.v1.Shop.CreateOrder start",
    "shop.v1.Shop.DeleteOrder start",
    "shop.v1.Shop.UpdateOrder start",
  ]);
  assert.deepEqual(names(disk), [
    "disk.v1.DiskService.Resize start",
    "disk.v1.DiskService.Erase start",
    "disk.v1.DiskService.ListOperations list",
  ]);
});

test("a start stores the typed request and answers the pending operation with its metadata", async () => {
  const { stored, json } = await start(shop, "CreateOrder", {
    ...order,
    orderId: "o1",
    options: { gift: true },
  });
  const { record } = stored;
  assert.match(record.name, /^shops\/s1\/operations\/sho[a-z0-9]{17}$/);
  assert.deepEqual(
    [record.parent, record.type, record.createdBy, record.description, record.state],
    ["shops/s1", "shop.create-order", "anonymous", "Create order", "PENDING"],
  );
  assert.equal(json["name"], record.name);
  assert.equal(json["done"], undefined);
  const { createTime, updateTime, ...metadata } = json["metadata"] as Record<string, unknown>;
  assert.equal(createTime, updateTime);
  assert.deepEqual(metadata, {
    "@type": "type.googleapis.com/shop.v1.OrderMetadata",
    state: "PENDING",
    orderId: "o1",
    options: { gift: true },
    createOrderDetails: {},
  });
  const detail = await server.engine.detail(record);
  assert.equal(detail.request?.typeUrl, "type.googleapis.com/shop.v1.CreateOrderRequest");
});

test("an operation on a resource starts under the parent of the resource", async () => {
  const { stored, json } = await start(shop, "DeleteOrder", { name: "shops/s1/orders/o1" });
  assert.equal(stored.record.parent, "shops/s1");
  assert.deepEqual((json["metadata"] as JsonObject)["deleteDetails"], {});
});

test("Yandex's operation has an id, a description and the resource's id as metadata", async () => {
  const context = recordedCall({ service: "disk" });
  const { stored, json } = await start(disk, "Resize", { diskId: "d1", size: "2" }, context);
  assert.equal(json["id"], stored.record.id);
  assert.equal(json["description"], "Resize");
  assert.equal(json["done"], false);
  assert.deepEqual(json["metadata"], { "@type": "type.googleapis.com/disk.v1.DiskMetadata", diskId: "d1" });
});

test("validate_only answers a done operation with an empty response, and stores nothing", async () => {
  const request = { ...order, parent: "shops/validated", validateOnly: true };
  const { json } = await start(shop, "CreateOrder", request);
  assert.equal(json["name"], undefined);
  assert.equal(json["done"], true);
  assert.deepEqual(json["response"], { "@type": "type.googleapis.com/shop.v1.Order" });
  const query = { service: "shop", tenant: "default", filter: "", pageSize: 10, pageToken: "" };
  const { operations } = await server.engine.list({ ...query, parent: "shops/validated" });
  assert.deepEqual(operations, []);
});

test("validate_only of an invalid request is an error", async () => {
  await assert.rejects(call(shop, "CreateOrder", { parent: "shops/s1", validateOnly: true }), {
    reason: "INVALID_FIELD",
    message: "order: is required",
  });
});

test("the same request_id answers the same operation, and another body is refused", async () => {
  const request = { ...order, requestId: "r-1", options: { a: 1, b: 2 } };
  const first = await start(shop, "CreateOrder", request);
  const again = await start(shop, "CreateOrder", { ...request, options: { b: 2, a: 1 } });
  assert.equal(again.stored.record.name, first.stored.record.name);
  assert.deepEqual(again.json, first.json);
  await assert.rejects(call(shop, "CreateOrder", { ...request, order: { title: "Coffee" } }), {
    reason: "REQUEST_ID_REUSED",
    message: "request_id r-1 was used with a different request",
  });
});

test("a repeated start shows what became of the operation", async () => {
  const request = { ...order, requestId: "r-2" };
  const { stored } = await start(shop, "CreateOrder", request);
  const { service, tenant, name } = stored.record;
  await server.engine.cancel({
    key: { service, tenant, name },
    requestedBy: "ada",
    reason: "",
    origin: "test",
    graceMs: null,
  });
  const { json } = await start(shop, "CreateOrder", request);
  assert.equal(json["done"], true);
  assert.equal((json["error"] as { code: number }).code, 1);
});

test("Yandex's Idempotency-Key is the request id", async () => {
  const requestHeaders = { "idempotency-key": "5F0C1A52-8A1E-4D0E-9D62-0D1F4C7F3B1A" };
  const first = await start(disk, "Resize", { diskId: "d2", size: "2" }, { requestHeaders });
  const again = await start(disk, "Resize", { diskId: "d2", size: "2" }, { requestHeaders });
  assert.equal(again.stored.record.id, first.stored.record.id);
  await assert.rejects(call(disk, "Resize", { diskId: "d2", size: "3" }, { requestHeaders }), {
    reason: "REQUEST_ID_REUSED",
  });
  await assert.rejects(
    call(disk, "Resize", { diskId: "d2", size: "3" }, { requestHeaders: { "idempotency-key": "x" } }),
    { reason: "INVALID_FIELD" },
  );
});

test("the same request_id in two methods is two operations", async () => {
  const requestHeaders = { "idempotency-key": "0b7f6c1e-2a44-4f0f-9c55-3c1f7d1b2a90" };
  const resized = await start(disk, "Resize", { diskId: "d3", size: "2" }, { requestHeaders });
  const erased = await start(disk, "Erase", { diskId: "d3", size: "2" }, { requestHeaders });
  assert.deepEqual([resized.stored.record.type, erased.stored.record.type], ["disk.resize", "disk.erase"]);
});

test("google methods take no Idempotency-Key", async () => {
  const requestHeaders = { "idempotency-key": "5f0c1a52-8a1e-4d0e-9d62-0d1f4c7f3b1a" };
  const first = await start(shop, "CreateOrder", order, { requestHeaders });
  const again = await start(shop, "CreateOrder", order, { requestHeaders });
  assert.notEqual(again.stored.record.name, first.stored.record.name);
});

test("a type that the service declares uncancellable starts so", async () => {
  const declaration = shopDeclaration({ uncancellableTypes: ["shop.create-order"] });
  const { stored } = await start(declaration, "CreateOrder", order);
  assert.equal(stored.record.policy.cancel.cancellable, false);
  const other = await start(declaration, "DeleteOrder", { name: "shops/s1/orders/o1" });
  assert.equal(other.stored.record.policy.cancel.cancellable, true);
});

const refused: readonly { what: string; name: string; request: JsonObject; error: object }[] = [
  {
    what: "every missing field",
    name: "CreateOrder",
    request: {},
    error: {
      reason: "INVALID_FIELD",
      fieldViolations: [
        { field: "parent", description: "is required" },
        { field: "order", description: "is required" },
      ],
    },
  },
  {
    what: "a request_id with a blank",
    name: "CreateOrder",
    request: { ...order, requestId: "a b" },
    error: { reason: "INVALID_FIELD", message: "request_id: must be 1-128 visible ASCII characters" },
  },
  {
    what: "a request above 256 KiB",
    name: "CreateOrder",
    request: { ...order, order: { title: "a".repeat(262_144) } },
    error: { reason: "PAYLOAD_TOO_LARGE", message: /^request is 2621\d\d bytes; at most 262144 are taken$/ },
  },
  {
    what: "a request with too many elements",
    name: "CreateOrder",
    request: { ...order, options: { list: Array.from({ length: 10_001 }, () => 0) } },
    error: { reason: "PAYLOAD_TOO_MANY_KEYS" },
  },
  {
    what: "a type that nobody serves, whatever the request",
    name: "UpdateOrder",
    request: {},
    error: {
      reason: "START_NOT_SERVED",
      message:
        "method shop.v1.Shop.UpdateOrder has no handler: no worker serves the operation type shop.update-order",
    },
  },
];

for (const { what, name, request, error } of refused) {
  test(`${what}: an RPC error`, async () => {
    await assert.rejects(call(shop, name, request), error);
  });
}

const below = shopDeclaration({ parents: ["shops/*"] });

test("where nothing is at the root, a parent that does not fit is refused", async () => {
  await assert.rejects(call(below, "CreateOrder", { ...order, parent: "markets/m" }), {
    reason: "INVALID_FIELD",
    message: "parent: must be of the form shops/*",
  });
  await assert.rejects(call(below, "DeleteOrder", { name: "orders/o1" }), {
    reason: "INVALID_FIELD",
    message: "name: must be the name of a resource below shops/*",
  });
});

test("a request without any parent in a service that has nothing at the root is an error at start", () => {
  const vault = {
    ...defineService({ id: "vault", startServices: [VaultService] }),
    parents: ["matters/*"],
  };
  assert.throws(() => createStartServices(server.engine, vault), {
    name: "StartMethodError",
    message:
      'vault/v1/vault_service.proto: vault.v1.VaultService.CountArtifacts: vault.v1.CountArtifactsRequest has no field parent or name, and service vault takes operations only under matters/*; expected "" (the root) among its parents, too',
  });
});

/** A caller who reaches the given parents only. */
function granted(...grants: string[]): Pick<CallContext, "principal"> {
  return { principal: { id: "user:ada", tenant: "default", scopes: null, grants } };
}

const reach: readonly [string, ServiceDeclaration, string, JsonObject, string[], string | null][] = [
  ["its own parent", shop, "CreateOrder", order, ["shops/s1"], null],
  ["another parent", shop, "CreateOrder", order, ["shops/s2"], "shops/s1"],
  [
    "the resource alone, whose parent it does not reach",
    shop,
    "DeleteOrder",
    { name: "shops/s1/orders/o1" },
    ["shops/s1/orders"],
    "shops/s1",
  ],
  [
    "an invalid request: permission comes first",
    shop,
    "CreateOrder",
    { parent: "shops/s1" },
    ["shops/s2"],
    "shops/s1",
  ],
  ["a malformed parent", below, "CreateOrder", { ...order, parent: "x y" }, ["shops/s2"], "x y"],
  [
    "a method that nobody serves",
    shop,
    "UpdateOrder",
    { order: { name: "shops/s1/orders/o" } },
    ["shops/s2"],
    "shops/s1",
  ],
  ["the root", disk, "Resize", { diskId: "d1", size: "1" }, ["operations"], null],
  [
    "the root without a grant for it",
    disk,
    "Resize",
    { diskId: "d1", size: "1" },
    ["shops/s1"],
    "operations",
  ],
  ["the root's list without a grant for it", disk, "ListOperations", {}, ["shops/s1"], "operations"],
];

for (const [what, declaration, name, request, grants, resource] of reach) {
  test(`a caller with the grant ${grants} and ${what} is ${resource === null ? "served" : "refused"}`, async () => {
    const answer = call(declaration, name, request, granted(...grants));
    if (resource === null) await answer;
    else {
      const permission = `operations.${name === "ListOperations" ? "list" : "start"}`;
      await assert.rejects(answer, { reason: "IAM_PERMISSION_DENIED", parameters: { permission, resource } });
    }
  });
}

async function listed(
  request: JsonObject,
): Promise<{ ids: string[]; nextPageToken: string; page: ListPage }> {
  const page = (await call(disk, "ListOperations", request)) as ListPage;
  const json = JSON.parse(methodOf(disk, "ListOperations").encodeJson(page)) as {
    operations?: { id: string; metadata: unknown }[];
    nextPageToken?: string;
  };
  return { ids: (json.operations ?? []).map(({ id }) => id), nextPageToken: json.nextPageToken ?? "", page };
}

test("ListOperations lists the operations of one resource, in pages", async () => {
  const ids: string[] = [];
  for (const name of ["Resize", "Erase", "Resize"]) {
    const { stored } = await start(disk, name, { diskId: 'listed "*"', size: "1" });
    ids.push(stored.record.id);
  }
  await start(disk, "Resize", { diskId: "another", size: "1" });
  const all = await listed({ diskId: 'listed "*"' });
  assert.deepEqual(all.ids.toSorted(), ids.toSorted());
  const first = await listed({ diskId: 'listed "*"', pageSize: "2" });
  assert.deepEqual(first.ids, all.ids.slice(0, 2));
  const second = await listed({ diskId: 'listed "*"', pageSize: "2", pageToken: first.nextPageToken });
  assert.deepEqual([second.ids, second.nextPageToken], [all.ids.slice(2), ""]);
  assert.deepEqual((await listed({ diskId: 'listed "*"', filter: "done=true" })).ids, []);
  assert.equal((await listed({ diskId: 'listed "*"', filter: "created_by='anonymous'" })).ids.length, 3);
  assert.deepEqual((await listed({ diskId: "listed" })).ids, []);
  const binary = methodOf(disk, "ListOperations").encodeBinary(all.page);
  assert.ok(binary.length > 0);
});

const badLists: readonly [JsonObject, string][] = [
  [{}, "INVALID_FIELD"],
  [{ diskId: "a\u0001" }, "INVALID_FIELD"],
  [{ diskId: "a", pageSize: "1001" }, "INVALID_FIELD"],
  [{ diskId: "a", pageSize: "-1" }, "INVALID_FIELD"],
  [{ diskId: "a", filter: "x=1" }, "INVALID_FILTER"],
  [{ diskId: "a", pageToken: "x" }, "INVALID_PAGE_TOKEN"],
];

for (const [request, reason] of badLists) {
  test(`ListOperations of ${JSON.stringify(request)} is ${reason}`, async () => {
    await assert.rejects(call(disk, "ListOperations", request), (error) => {
      assert.ok(error instanceof RpcError);
      assert.equal(error.reason, reason);
      return true;
    });
  });
}
