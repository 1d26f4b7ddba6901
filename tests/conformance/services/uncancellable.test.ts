// Services and types that cancel nothing: UNIMPLEMENTED in each dialect, with its verdict, the same for every name, and the
// work goes on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Operations as NativeOperations } from "../../../src/protocol/gen/belay/v1/operations_pb.ts";
import { Operations } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { OperationService } from "../../../src/protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import type { WireReply } from "../wire/wire-client.ts";
import { type ServicesWorld, startServicesWorld } from "./services-world.ts";

let world: ServicesWorld;
before(async () => {
  world = await startServicesWorld();
});
after(() => world[Symbol.asyncDispose]());

/** Every way to cancel in a service. */
function cancels(service: string, name: string): Record<string, () => Promise<WireReply>> {
  const client = world.client(service);
  const operationId = name.slice("operations/".length);
  const isYandex = service === "storage" || service.startsWith("y");
  return {
    "REST of belay.v1": () => client.rest("POST", `/belay/v1/${name}:cancel`),
    "gRPC of belay.v1": () => client.grpc(NativeOperations.method.cancelOperation, { name }),
    ...(isYandex
      ? {
          GET: () => client.rest("GET", `/${name}:cancel`),
          POST: () => client.rest("POST", `/${name}:cancel`),
          gRPC: () => client.grpc(OperationService.method.cancel, { operationId }),
          "gRPC of google.longrunning": () => client.grpc(Operations.method.cancelOperation, { name }),
        }
      : {
          POST: () => client.rest("POST", `/v1/${name}:cancel`),
          gRPC: () => client.grpc(Operations.method.cancelOperation, { name }),
        }),
  };
}

function checkRefused(reply: WireReply, how: string, reason: string, message: string): void {
  const { error } = reply;
  assert.deepEqual([error?.code, error?.reason, error?.message], [12, reason, message], how);
  if (reply.transport === "rest") assert.equal(reply.httpStatus, 501, how);
  // Belay's own API has the verdict in its answer, and this is none.
  if (!how.endsWith("belay.v1")) {
    assert.equal(reply.trailers["belay-cancel-verdict"], "REFUSED_NOT_CANCELLABLE", how);
  }
}

for (const service of ["sealed", "storage"]) {
  test(`${service} supports no cancel: UNIMPLEMENTED for what runs, what is done and what is not there`, async () => {
    const names = [
      await world.start(service),
      await world.startDone(service),
      "operations/opr00000000000000000",
    ];
    const message = `service ${service} does not support cancelling operations`;
    for (const name of names) {
      for (const [how, cancel] of Object.entries(cancels(service, name))) {
        checkRefused(await cancel(), how, "CANCEL_NOT_SUPPORTED", message);
      }
    }
    assert.equal(await world.stateOf(service, names[0]!), "PENDING");
  });
}

test("the whole body of the refusal, in both dialects", async () => {
  const headers = { "x-request-id": "req-7" };
  const name = "operations/opr00000000000000000";
  const bodyOf = (service: string): [string, object] => [
    `service ${service} does not support cancelling operations`,
    {
      "@type": "type.googleapis.com/google.rpc.ErrorInfo",
      reason: "CANCEL_NOT_SUPPORTED",
      domain: "belayd",
      metadata: { service },
    },
  ];
  const google = await world.client("sealed").rest("POST", `/v1/${name}:cancel`, { headers });
  const [message, info] = bodyOf("sealed");
  assert.equal(
    google.text,
    JSON.stringify({ error: { code: 501, message, status: "UNIMPLEMENTED", details: [info] } }),
  );
  const yandex = await world.client("storage").rest("GET", `/${name}:cancel`, { headers });
  const [bareMessage, bareInfo] = bodyOf("storage");
  const requestInfo = { "@type": "type.googleapis.com/google.rpc.RequestInfo", requestId: "req-7" };
  assert.equal(
    yandex.text,
    JSON.stringify({ code: 12, message: bareMessage, details: [bareInfo, requestInfo] }),
  );
});

for (const service of ["partly", "ypartly"]) {
  test(`${service} cancels but for one type: that one is UNIMPLEMENTED, the others stop`, async () => {
    const sealed = await world.start(service, { type: "test.sealed" });
    const message = `operation ${sealed} of type test.sealed cannot be cancelled`;
    for (const [how, cancel] of Object.entries(cancels(service, sealed))) {
      checkRefused(await cancel(), how, "OPERATION_NOT_CANCELLABLE", message);
    }
    assert.equal(await world.stateOf(service, sealed), "PENDING");
    for (const how of Object.keys(cancels(service, sealed))) {
      const name = await world.start(service);
      const reply = await cancels(service, name)[how]!();
      assert.equal(reply.error, null, how);
      assert.equal(await world.stateOf(service, name), "CANCELLED", how);
    }
    for (const [how, cancel] of Object.entries(cancels(service, "operations/opr00000000000000000"))) {
      assert.equal((await cancel()).error?.reason, "OPERATION_NOT_FOUND", how);
    }
  });
}

for (const service of ["vault", "dai", "default", "yandex"]) {
  test(`${service}: an operation whose handler cannot be cancelled is UNIMPLEMENTED, with its name and type`, async () => {
    const name = await world.start(service, { type: "test.fixed" });
    const message = `operation ${name} of type test.fixed cannot be cancelled`;
    for (const [how, cancel] of Object.entries(cancels(service, name))) {
      checkRefused(await cancel(), how, "OPERATION_NOT_CANCELLABLE", message);
    }
  });
}

test("Get, List and Delete are served all the same", async () => {
  const client = world.client("sealed");
  const name = await world.startDone("sealed");
  assert.equal((await client.rest("GET", `/v1/${name}`)).json?.["done"], true);
  assert.equal((await client.rest("GET", "/v1/operations")).error, null);
  assert.equal((await client.rest("DELETE", `/v1/${name}`)).text, "{}");
  const ofStorage = await world.startDone("storage");
  assert.equal((await world.client("storage").rest("GET", `/${ofStorage}`)).json?.["done"], true);
});
