// Health and reflection, as probes and tools such as grpcurl use them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  create,
  createFileRegistry,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import {
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthListRequestSchema,
  HealthListResponseSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../../src/protocol/gen/grpc/health/v1/health_pb.ts";
import {
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "../../../src/protocol/gen/grpc/reflection/v1/reflection_pb.ts";
import { callGrpc } from "./lro-client.ts";
import { type LroWorld, startWorld } from "./lro-world.ts";

let world: LroWorld;
before(async () => {
  world = await startWorld();
});
after(() => world[Symbol.asyncDispose]());

const identity = (bytes: Buffer): Buffer => bytes;

async function check(service: string): Promise<number> {
  const request = toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service }));
  const { bytes } = await callGrpc(world.grpc, "/grpc.health.v1.Health/Check", request);
  return fromBinary(HealthCheckResponseSchema, bytes).status;
}

test("the server and each of its services are SERVING", async () => {
  for (const service of [
    "",
    "google.longrunning.Operations",
    "belay.v1.Operations",
    "belay.v1.OperationStarter",
    "belay.v1.Workers",
  ]) {
    assert.equal(await check(service), ServingStatus.SERVING);
  }
  const request = toBinary(HealthListRequestSchema, create(HealthListRequestSchema));
  const { bytes } = await callGrpc(world.grpc, "/grpc.health.v1.Health/List", request);
  assert.equal(fromBinary(HealthListResponseSchema, bytes).statuses[""]?.status, ServingStatus.SERVING);
});

/** The first messages of a health watch. */
async function watch(service: string, onMessage: (status: number) => void): Promise<() => void> {
  const call = world.grpc.makeServerStreamRequest(
    "/grpc.health.v1.Health/Watch",
    identity,
    identity,
    Buffer.from(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service }))),
  );
  call.on("error", () => {});
  const first = new Promise<void>((resolve) => {
    call.on("data", (bytes: Buffer) => {
      onMessage(fromBinary(HealthCheckResponseSchema, bytes).status);
      resolve();
    });
  });
  await first;
  return () => call.cancel();
}

test("a watch tells the status at once; of an unknown service too, and stays open", async () => {
  const seen: number[] = [];
  const stops = [
    await watch("", (status) => seen.push(status)),
    await watch("no.such", (status) => seen.push(status)),
  ];
  assert.deepEqual(seen, [ServingStatus.SERVING, ServingStatus.SERVICE_UNKNOWN]);
  for (const stop of stops) stop();
});

type Request = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]>;
type Response = MessageShape<typeof ServerReflectionResponseSchema>;

/** Asks on one stream, one after the other. */
async function reflect(version: "v1" | "v1alpha", ...requests: Request[]): Promise<Response[]> {
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const call = world.grpc.makeBidiStreamRequest(path, identity, identity);
  const responses: Response[] = [];
  call.on("data", (bytes: Buffer) => responses.push(fromBinary(ServerReflectionResponseSchema, bytes)));
  for (const messageRequest of requests) {
    // v1 and v1alpha are alike but for their package, so one schema writes both.
    const request = create(ServerReflectionRequestSchema, { host: "h", messageRequest });
    call.write(Buffer.from(toBinary(ServerReflectionRequestSchema, request)));
  }
  call.end();
  await new Promise((resolve, reject) => call.on("end", resolve).on("error", reject));
  return responses;
}

const services = [
  "google.longrunning.Operations",
  "belay.v1.Operations",
  "belay.v1.OperationStarter",
  "belay.v1.Workers",
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];

for (const version of ["v1", "v1alpha"] as const) {
  test(`reflection ${version} lists every service, and each can be described from what is sent`, async () => {
    const [listed] = await reflect(version, { case: "listServices", value: "*" });
    assert.ok(listed?.messageResponse.case === "listServicesResponse");
    assert.deepEqual(
      listed.messageResponse.value.service.map(({ name }) => name).sort(),
      [...services].sort(),
    );
    assert.equal(listed.originalRequest?.messageRequest.case, "listServices");
    const described = await reflect(
      version,
      ...services.map((value) => ({ case: "fileContainingSymbol", value }) as const),
    );
    assert.equal(described.length, services.length);
    for (const [index, response] of described.entries()) {
      assert.ok(response.messageResponse.case === "fileDescriptorResponse");
      const files = new Map<string, FileDescriptorProto>();
      for (const bytes of response.messageResponse.value.fileDescriptorProto) {
        const file = fromBinary(FileDescriptorProtoSchema, bytes);
        files.set(file.name, file);
      }
      const sorted = new Set<FileDescriptorProto>();
      const visit = (file: FileDescriptorProto): void => {
        for (const imported of file.dependency) visit(files.get(imported)!);
        sorted.add(file);
      };
      for (const file of files.values()) visit(file);
      const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...sorted] }));
      assert.ok(registry.getService(services[index]!));
    }
  });
}

const questions: readonly [Request, string][] = [
  [{ case: "fileByFilename", value: "google/longrunning/operations.proto" }, "fileDescriptorResponse"],
  [{ case: "fileContainingSymbol", value: "google.longrunning.Operation" }, "fileDescriptorResponse"],
  [
    { case: "allExtensionNumbersOfType", value: "google.protobuf.MethodOptions" },
    "allExtensionNumbersResponse",
  ],
  [
    {
      case: "fileContainingExtension",
      value: { containingType: "google.protobuf.MethodOptions", extensionNumber: 1049 },
    },
    "fileDescriptorResponse",
  ],
  [{ case: "fileByFilename", value: "nothing.proto" }, "errorResponse"],
  [{ case: "fileContainingSymbol", value: "x".repeat(100_000) }, "errorResponse"],
  [{ case: "allExtensionNumbersOfType", value: "no.Such" }, "errorResponse"],
];

test("reflection answers each question in its turn, and what it does not know with NOT_FOUND on an open stream", async () => {
  const responses = await reflect("v1", ...questions.map(([question]) => question));
  assert.deepEqual(
    responses.map(({ messageResponse }) => messageResponse.case),
    questions.map(([, wanted]) => wanted),
  );
  for (const { messageResponse } of responses) {
    if (messageResponse.case === "errorResponse") assert.equal(messageResponse.value.errorCode, 5);
  }
});

test("/healthz and /readyz answer plain HTTP probes", async () => {
  for (const path of ["/healthz", "/readyz"]) {
    const response = await fetch(world.url + path);
    assert.deepEqual([response.status, await response.json()], [200, { status: "SERVING" }]);
    assert.equal((await fetch(world.url + path, { method: "HEAD" })).status, 200);
  }
});
