// Proto-first start methods over the wire: AIP-151 (a start method answers an Operation; what keeps it from starting is an
// RPC error), AIP-155 (request_id), AIP-163 (validate_only), and Yandex's own ways of the same.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { DescMethod, JsonObject } from "@bufbuild/protobuf";
import { AutoMl } from "../../../src/protocol/gen/google/cloud/automl/v1beta1/service_pb.ts";
import { Operations } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { TextRecognitionAsyncService } from "../../../src/protocol/gen/yandex/cloud/ai/ocr/v1/ocr_service_pb.ts";
import { OperationService } from "../../../src/protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import { type DeclaredWorld, methodOf, type Seen, startDeclaredWorld } from "./declared-world.ts";

let world: DeclaredWorld;
before(async () => {
  world = await startDeclaredWorld();
});
after(() => world[Symbol.asyncDispose]());

const transports = ["grpc", "rest"] as const;
type Transport = (typeof transports)[number];
type Headers = Record<string, string>;

function answered(seen: Seen): JsonObject {
  assert.ok(seen.ok, JSON.stringify(seen));
  return seen.json;
}

/** A shop's order, by POST /v1/{parent=shops/*}/orders with body *. */
function createOrder(transport: Transport, request: JsonObject, headers?: Headers): Promise<Seen> {
  if (transport === "grpc") return world.grpc("shop", methodOf("CreateOrder"), request, headers);
  const { parent, ...body } = request;
  return world.rest("shop", { method: "POST", path: `/v1/${parent ?? "shops/-"}/orders`, body }, headers);
}

function resize(transport: Transport, request: JsonObject, headers?: Headers): Promise<Seen> {
  if (transport === "grpc") return world.grpc("disk", methodOf("Resize"), request, headers);
  const { diskId, ...body } = request;
  return world.rest("disk", { method: "POST", path: `/disk/v1/disks/${diskId}:resize`, body }, headers);
}

async function google(
  transport: Transport,
  service: string,
  name: string,
  prefix = "/v1",
): Promise<JsonObject> {
  if (transport === "grpc")
    return answered(await world.grpc(service, Operations.method.getOperation, { name }));
  return answered(await world.rest(service, { method: "GET", path: `${prefix}/${name}` }));
}

async function yandex(transport: Transport, service: string, id: string): Promise<JsonObject> {
  const method: DescMethod = OperationService.method.get;
  if (transport === "grpc") return answered(await world.grpc(service, method, { operationId: id }));
  return answered(await world.rest(service, { method: "GET", path: `/operations/${id}` }));
}

for (const transport of transports) {
  test(`${transport}: createModel answers a running operation under its parent, which ends with the model`, async () => {
    const parent = "projects/p1/locations/us-central1";
    const model = { displayName: "digits", imageClassificationModelMetadata: { trainBudget: "1" } };
    const started = answered(
      transport === "grpc"
        ? await world.grpc("automl", AutoMl.method.createModel, { parent, model })
        : // As google-gax sends it: the body is the model, and enums are asked for as numbers.
          await world.rest("automl", {
            method: "POST",
            path: `/v1beta1/${parent}/models?$alt=json%3Benum-encoding=int`,
            body: model,
          }),
    );
    const name = String(started["name"]);
    assert.match(name, /^projects\/p1\/locations\/us-central1\/operations\/[a-z0-9]{20}$/);
    assert.equal(started["done"], undefined);
    const metadata = started["metadata"] as JsonObject;
    assert.equal(metadata["@type"], "type.googleapis.com/google.cloud.automl.v1beta1.OperationMetadata");
    assert.deepEqual(metadata["createModelDetails"], {});
    await world.done("automl", name);
    const ended = await google(transport, "automl", name, "/v1beta1");
    assert.deepEqual(ended["response"], {
      "@type": "type.googleapis.com/google.cloud.automl.v1beta1.Model",
      name: `${parent}/models/m1`,
      displayName: "digits!",
    });
    assert.equal((ended["metadata"] as JsonObject)["progressPercent"], 100);
  });

  test(`${transport}: Recognize answers Yandex's operation, which ends with the text`, async () => {
    const request = { content: Buffer.from("hello").toString("base64"), mimeType: "image/png" };
    const started = answered(
      transport === "grpc"
        ? await world.grpc("ocr", TextRecognitionAsyncService.method.recognize, request)
        : await world.rest("ocr", { method: "POST", path: "/ocr/v1/recognizeTextAsync", body: request }),
    );
    const id = String(started["id"]);
    assert.equal(id.length, 20);
    assert.equal(started["description"], "Recognize");
    await world.done("ocr", `operations/${id}`);
    assert.deepEqual((await yandex(transport, "ocr", id))["response"], {
      "@type": "type.googleapis.com/yandex.cloud.ai.ocr.v1.RecognizeTextResponse",
      textAnnotation: { fullText: "hello" },
    });
  });

  test(`${transport}: an answer that is not of the declared type ends the operation with INTERNAL`, async () => {
    const started = answered(
      await createOrder(transport, { parent: "shops/s", order: {}, options: { color: "red" } }),
    );
    const name = String(started["name"]);
    await world.done("shop", name);
    const { error } = await google(transport, "shop", name);
    const { code, message } = error as JsonObject;
    assert.equal(code, 13);
    assert.match(
      String(message),
      /^the response was refused: response: is no shop\.v1\.Order: .*"color" is unknown/,
    );
  });

  test(`${transport}: no answer is Empty where the method declares Empty`, async () => {
    const started = answered(
      transport === "grpc"
        ? await world.grpc("shop", methodOf("DeleteOrder"), { name: "shops/s/orders/o" })
        : await world.rest("shop", { method: "DELETE", path: "/v1/shops/s/orders/o" }),
    );
    const name = String(started["name"]);
    assert.ok(name.startsWith("shops/s/operations/"));
    await world.done("shop", name);
    assert.deepEqual((await google(transport, "shop", name))["response"], {
      "@type": "type.googleapis.com/google.protobuf.Empty",
    });
  });

  test(`${transport}: what keeps an operation from starting is an RPC error with every field`, async () => {
    const { ok, ...error } = await createOrder(transport, { parent: "shops/s" });
    assert.equal(ok, false);
    assert.deepEqual(error, {
      code: 3,
      reason: "INVALID_FIELD",
      message: "order: is required",
      fields: ["order"],
    });
    const { ok: isResized, ...resizeError } = await resize(transport, { diskId: "d", tags: ["aaaaaaaaa"] });
    assert.equal(isResized, false);
    assert.deepEqual(resizeError, {
      code: 3,
      reason: "INVALID_FIELD",
      message: "tags[0]: is 9 characters long; it takes 1-8",
      fields: ["tags[0]", "target"],
    });
  });

  test(`${transport}: validate_only answers a done operation without a name, and the valid empty response`, async () => {
    const json = answered(await createOrder(transport, { parent: "shops/v", order: {}, validateOnly: true }));
    assert.equal(json["name"], undefined);
    assert.equal(json["done"], true);
    assert.deepEqual(json["response"], { "@type": "type.googleapis.com/shop.v1.Order" });
  });

  test(`${transport}: request_id makes a start repeatable, and refuses another request`, async () => {
    const request = { parent: "shops/s", order: { title: "Tea" }, requestId: `same-${transport}` };
    const first = answered(await createOrder(transport, request));
    const other = transports.find((one) => one !== transport) as Transport;
    // The same on the other transport: the digest is over the decoded request.
    assert.equal(answered(await createOrder(other, request))["name"], first["name"]);
    const seen = await createOrder(transport, { ...request, order: { title: "Coffee" } });
    assert.equal(seen.ok || seen.reason, "REQUEST_ID_REUSED");
  });

  test(`${transport}: Idempotency-Key makes a Yandex start repeatable`, async () => {
    const headers = { "idempotency-key": crypto.randomUUID() };
    const first = answered(await resize(transport, { diskId: "d1", size: "2" }, headers));
    assert.equal(answered(await resize(transport, { diskId: "d1", size: "2" }, headers))["id"], first["id"]);
    const seen = await resize(transport, { diskId: "d1", size: "3" }, headers);
    assert.equal(seen.ok || seen.reason, "REQUEST_ID_REUSED");
  });

  test(`${transport}: a started operation is cancelled through its dialect`, async () => {
    const { id } = answered(await resize(transport, { diskId: "d9", size: "2" }));
    const seen =
      transport === "grpc"
        ? await world.grpc("disk", OperationService.method.cancel, { operationId: String(id) })
        : await world.rest("disk", { method: "GET", path: `/operations/${id}:cancel` });
    assert.equal(answered(seen)["id"], id);
    await world.done("disk", `operations/${id}`);
    assert.deepEqual(((await yandex(transport, "disk", String(id)))["error"] as JsonObject)["code"], 1);
  });

  test(`${transport}: ListOperations of a resource lists what was started on it`, async () => {
    const diskId = `listed-${transport}`;
    const ids = [];
    for (const size of ["1", "2"]) ids.push(answered(await resize(transport, { diskId, size }))["id"]);
    await resize(transport, { diskId: `${diskId}-2`, size: "1" });
    const list = async (query: JsonObject): Promise<JsonObject> =>
      answered(
        transport === "grpc"
          ? await world.grpc("disk", methodOf("ListOperations"), { diskId, ...query })
          : await world.rest("disk", {
              method: "GET",
              path: `/disk/v1/disks/${diskId}/operations?${new URLSearchParams(query as Record<string, string>)}`,
            }),
      );
    const idsOf = (page: JsonObject): unknown[] =>
      ((page["operations"] ?? []) as JsonObject[]).map(({ id }) => id);
    assert.deepEqual(idsOf(await list({})).toSorted(), ids.toSorted());
    assert.deepEqual(idsOf(await list({ filter: "done=false" })).toSorted(), ids.toSorted());
    assert.deepEqual(idsOf(await list({ filter: "done=true" })), []);
    const first = await list({ pageSize: "1" });
    const second = await list({ pageSize: "1", pageToken: String(first["nextPageToken"]) });
    assert.deepEqual([...idsOf(first), ...idsOf(second)].toSorted(), ids.toSorted());
    assert.equal(second["nextPageToken"] ?? "", "");
  });

  test(`${transport}: a start method without a handler is UNIMPLEMENTED`, async () => {
    const order = { name: "shops/s/orders/o" };
    const { ok, ...error } =
      transport === "grpc"
        ? await world.grpc("shop", methodOf("UpdateOrder"), { order })
        : await world.rest("shop", { method: "POST", path: `/v1/${order.name}`, body: {} });
    assert.equal(ok, false);
    assert.deepEqual(error, {
      code: 12,
      reason: "START_NOT_SERVED",
      message:
        "method shop.v1.Shop.UpdateOrder has no handler: no worker serves the operation type shop.update-order",
      fields: [],
    });
  });
}

test("grpc: an RPC without an annotation is UNIMPLEMENTED", async () => {
  const seen = await world.grpc("shop", methodOf("Plain"), { name: "x" });
  assert.equal(seen.ok || seen.code, 12);
});

test("rest: an RPC without an annotation has no path", async () => {
  const seen = await world.rest("shop", { method: "POST", path: "/v1/plain", body: { name: "x" } });
  assert.equal(seen.ok || seen.code, 5);
});

test("rest: a field that the request does not have is INVALID_ARGUMENT", async () => {
  const seen = await createOrder("rest", { parent: "shops/s", order: { colour: "red" } });
  assert.equal(seen.ok || seen.reason, "INVALID_JSON");
});
