// Reflection on the wire: what a service's own port, and its host on the main port, tell of.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import {
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "../protocol/gen/grpc/reflection/v1/reflection_pb.ts";
import { builtinServices } from "../services/builtin/builtin-services.ts";
import { startTestServer, type TestServer } from "../testing/test-server.ts";

let server: TestServer;
before(async () => {
  const services = builtinServices.map((service) =>
    service.id === "vault" || service.id === "yandex" ? { ...service, ports: [0] } : service,
  );
  server = await startTestServer({ services });
});
after(() => server.close());

/** The services that reflection lists, but for those that every port has. */
async function listed(address: string, authority?: string): Promise<string[]> {
  const client = new Client(address, credentials.createInsecure(), {
    ...(authority !== undefined && { "grpc.default_authority": authority }),
  });
  const stream = client.makeBidiStreamRequest(
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    (value: Buffer) => value,
    (bytes: Buffer) => fromBinary(ServerReflectionResponseSchema, bytes).messageResponse,
  );
  const request = create(ServerReflectionRequestSchema, {
    messageRequest: { case: "listServices", value: "" },
  });
  stream.end(Buffer.from(toBinary(ServerReflectionRequestSchema, request)));
  const names: string[] = [];
  for await (const answer of stream) {
    assert.equal(answer.case, "listServicesResponse");
    names.push(...answer.value.service.map(({ name }: { name: string }) => name));
  }
  client.close();
  return names.filter((name) => !name.startsWith("grpc.")).sort();
}

const vault = [
  "belay.v1.Operations",
  "belay.v1.Workers",
  "google.longrunning.Operations",
  "vault.v1.VaultService",
];
const yandex = [
  "belay.v1.Operations",
  "belay.v1.Workers",
  "google.longrunning.Operations",
  "yandex.cloud.ai.ocr.v1.TextRecognitionAsyncService",
  "yandex.cloud.endpoint.ApiEndpointService",
  "yandex.cloud.iam.v1.IamTokenService",
  "yandex.cloud.operation.OperationService",
];

test("a service's own port tells of what it serves alone, whatever the name", async () => {
  const { vault: [vaultPort] = [], yandex: [yandexPort] = [] } = server.servicePorts;
  assert.deepEqual(await listed(`127.0.0.1:${vaultPort}`), vault);
  assert.deepEqual(await listed(`127.0.0.1:${yandexPort}`), yandex);
});

test("so does a service's host on the main port; any other name is told of everything", async () => {
  assert.deepEqual(await listed(server.address, "vault.localhost"), vault);
  assert.deepEqual(await listed(server.address, "yandex.localhost"), yandex);
  const all = new Set([
    ...vault,
    ...yandex,
    "belay.v1.OperationStarter",
    "google.cloud.automl.v1beta1.AutoMl",
  ]);
  assert.deepEqual(await listed(server.address), [...all].sort());
});
