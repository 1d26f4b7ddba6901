import assert from "node:assert/strict";
import { test } from "node:test";
import { createRegistry } from "@bufbuild/protobuf";
import { AutoMl } from "./gen/google/cloud/automl/v1beta1/service_pb.ts";
import { Operations } from "./gen/google/longrunning/operations_pb.ts";
import { TextRecognitionAsyncService } from "./gen/yandex/cloud/ai/ocr/v1/ocr_service_pb.ts";
import { OperationService } from "./gen/yandex/cloud/operation/operation_service_pb.ts";
import { operationAnnotationOf, resolveAnnotatedMessage } from "./operation-annotation.ts";
import { baseTypeRegistry } from "./type-registry.ts";

const { createModel, deleteModel } = AutoMl.method;

test("google.longrunning.operation_info is read", () => {
  assert.deepEqual(operationAnnotationOf(deleteModel), {
    dialect: "google",
    responseField: "operation_info.response_type",
    responseType: "google.protobuf.Empty",
    metadataField: "operation_info.metadata_type",
    metadataType: "OperationMetadata",
  });
});

test("yandex.cloud.api.operation is read", () => {
  assert.deepEqual(operationAnnotationOf(TextRecognitionAsyncService.method.recognize), {
    dialect: "yandex",
    responseField: "yandex.cloud.api.operation.response",
    responseType: "RecognizeTextResponse",
    metadataField: "yandex.cloud.api.operation.metadata",
    metadataType: "",
  });
});

for (const method of [Operations.method.getOperation, OperationService.method.get]) {
  test(`${method.parent.typeName}.${method.name} returns an Operation and starts none`, () => {
    assert.equal(operationAnnotationOf(method), null);
  });
}

const names: readonly [string, string | undefined][] = [
  ["Model", "google.cloud.automl.v1beta1.Model"],
  ["v1beta1.Model", "google.cloud.automl.v1beta1.Model"],
  ["automl.v1beta1.OperationMetadata", "google.cloud.automl.v1beta1.OperationMetadata"],
  ["google.cloud.automl.v1beta1.Model", "google.cloud.automl.v1beta1.Model"],
  [".google.rpc.Status", "google.rpc.Status"],
  ["rpc.Status", "google.rpc.Status"],
  ["protobuf.Empty", "google.protobuf.Empty"],
  [".Model", undefined],
  ["Status", undefined],
  ["belay.v1.Receipt", undefined],
];

for (const [name, typeName] of names) {
  test(`${name} beside CreateModel is ${typeName ?? "no message"}`, () => {
    assert.equal(resolveAnnotatedMessage(name, createModel)?.typeName, typeName);
  });
}

test("a message that the method's file does not import is found in the registry", () => {
  assert.equal(
    resolveAnnotatedMessage("belay.v1.Receipt", createModel, baseTypeRegistry)?.typeName,
    "belay.v1.Receipt",
  );
  assert.equal(resolveAnnotatedMessage("Model", createModel, createRegistry())?.name, "Model");
});
