// The start methods of the declared APIs, called alike on both transports.
import assert from "node:assert/strict";
import type { DescMethod, JsonObject } from "@bufbuild/protobuf";
import { AutoMl } from "../../../src/protocol/gen/google/cloud/automl/v1beta1/service_pb.ts";
import { VaultService } from "../../../src/protocol/gen/vault/v1/vault_service_pb.ts";
import { TextRecognitionAsyncService } from "../../../src/protocol/gen/yandex/cloud/ai/ocr/v1/ocr_service_pb.ts";
import type { WireReply } from "../wire/wire-client.ts";
import { freshName } from "./suite-services.ts";
import { must, type Surface } from "./surface.ts";

/** A method of the APIs of apis.binpb.gz. */
export function apiMethod(
  at: Surface,
  service: "shop.v1.Shop" | "disk.v1.DiskService",
  name: string,
): DescMethod {
  const method = at.client.registry.getService(service)?.methods.find((one) => one.name === name);
  assert.ok(method, `${service}.${name}`);
  return method;
}

/** shop.v1.Shop.CreateOrder. */
export function createOrder(at: Surface, request: JsonObject): Promise<WireReply> {
  const { parent, ...body } = request;
  return at.transport === "grpc"
    ? at.client.grpc(apiMethod(at, "shop.v1.Shop", "CreateOrder"), request)
    : at.client.rest("POST", `/v1/${parent}/orders`, { body });
}

/** disk.v1.DiskService.Resize. */
export function resize(
  at: Surface,
  request: JsonObject,
  headers: Record<string, string> = {},
): Promise<WireReply> {
  const { diskId, ...body } = request;
  return at.transport === "grpc"
    ? at.client.grpc(apiMethod(at, "disk.v1.DiskService", "Resize"), request, { metadata: headers })
    : at.client.rest("POST", `/disk/v1/disks/${diskId}:resize`, { body, headers });
}

/** disk.v1.DiskService.ListOperations. */
export function listOfDisk(at: Surface, diskId: string): Promise<WireReply> {
  return at.transport === "grpc"
    ? at.client.grpc(apiMethod(at, "disk.v1.DiskService", "ListOperations"), { diskId })
    : at.client.rest("GET", `/disk/v1/disks/${diskId}/operations`);
}

/** google.cloud.automl.v1beta1.AutoMl.CreateModel. */
export function createModel(at: Surface, parent: string, displayName: string): Promise<WireReply> {
  const model = { displayName };
  return at.transport === "grpc"
    ? at.client.grpc(AutoMl.method.createModel, { parent, model })
    : at.client.rest("POST", `/v1beta1/${parent}/models`, { body: model });
}

/** A training that holds at 40 percent. */
export async function startTraining(at: Surface): Promise<{ name: string; open(): Promise<void> }> {
  const gate = freshName("gate");
  const name = String(must(await createModel(at, at.parent, `hold ${gate}`))["name"]);
  return { name, open: () => at.open(gate) };
}

/** vault.v1.VaultService.CountArtifacts. */
export function countArtifacts(at: Surface, request: JsonObject): Promise<WireReply> {
  const { matterId, ...body } = request;
  return at.transport === "grpc"
    ? at.client.grpc(VaultService.method.countArtifacts, request)
    : at.client.rest("POST", `/v1/matters/${matterId}:count`, { body });
}

/** yandex.cloud.ai.ocr.v1.TextRecognitionAsyncService.Recognize. */
export function recognize(
  at: Surface,
  request: JsonObject,
  headers: Record<string, string> = {},
): Promise<WireReply> {
  return at.transport === "grpc"
    ? at.client.grpc(TextRecognitionAsyncService.method.recognize, request, { metadata: headers })
    : at.client.rest("POST", "/ocr/v1/recognizeTextAsync", { body: request, headers });
}
