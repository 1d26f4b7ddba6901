import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { ModelSchema } from "../protocol/gen/google/cloud/automl/v1beta1/model_pb.ts";
import { AutoMl } from "../protocol/gen/google/cloud/automl/v1beta1/service_pb.ts";
import { Operations } from "../protocol/gen/google/longrunning/operations_pb.ts";
import {
  RecognizeTextResponseSchema,
  TextRecognitionAsyncService,
} from "../protocol/gen/yandex/cloud/ai/ocr/v1/ocr_service_pb.ts";
import type { JsonObject } from "../protocol/worker-connection.ts";
import { defineMethod } from "./define-method.ts";
import type { OperationContext, OperationDefinition } from "./define-operation.ts";

const context = {} as OperationContext;

function run(definition: OperationDefinition, input: JsonObject): Promise<JsonObject | undefined> {
  assert.ok(definition.kind === "inline");
  return definition.handler(context, input);
}

test("a handler takes the request message and answers the response message", async () => {
  const definition = defineMethod(
    { type: "automl.create-model", method: AutoMl.method.createModel, response: ModelSchema, graceMs: 5 },
    async ({ parent, model }) => {
      const metadata = model?.modelMetadata;
      const budget = metadata?.case === "imageClassificationModelMetadata" ? metadata.value.trainBudget : 0n;
      return create(ModelSchema, {
        name: `${parent}/models/m${budget}`,
        displayName: model?.displayName ?? "",
      });
    },
  );
  assert.equal(definition.graceMs, 5);
  const model = { displayName: "digits", imageClassificationModelMetadata: { trainBudget: "3" } };
  assert.deepEqual(await run(definition, { parent: "projects/p/locations/l", model }), {
    name: "projects/p/locations/l/models/m3",
    displayName: "digits",
  });
});

test("a handler may answer the response's fields alone, and bytes are base64 in between", async () => {
  const definition = defineMethod(
    {
      type: "yandex.recognize",
      method: TextRecognitionAsyncService.method.recognize,
      response: RecognizeTextResponseSchema,
    },
    async ({ source }) => ({
      textAnnotation: { fullText: Buffer.from(source.value ?? []).toString() },
      page: 1n,
    }),
  );
  assert.deepEqual(await run(definition, { content: Buffer.from("abc").toString("base64") }), {
    textAnnotation: { fullText: "abc" },
    page: "1",
  });
});

test("a handler of an Empty response answers nothing", async () => {
  const definition = defineMethod(
    { type: "automl.delete-model", method: AutoMl.method.deleteModel, response: EmptySchema },
    async () => {},
  );
  assert.equal(await run(definition, { name: "projects/p/locations/l/models/m" }), undefined);
});

test("input that is no request of the method fails with INVALID_ARGUMENT", async () => {
  const definition = defineMethod(
    { type: "automl.delete-model", method: AutoMl.method.deleteModel, response: EmptySchema },
    async () => {},
  );
  await assert.rejects(run(definition, { names: [] }), {
    code: 3,
    message: /the request is no google\.cloud\.automl\.v1beta1\.DeleteModelRequest: .*"names" is unknown/,
  });
});

test("a check takes the request message, and input that is none is a violation without it", () => {
  const definition = defineMethod(
    {
      type: "automl.delete-model",
      method: AutoMl.method.deleteModel,
      response: EmptySchema,
      check: ({ name }) => (name === "" ? [{ field: "name", description: "is required" }] : []),
    },
    async () => {},
  );
  assert.deepEqual(definition.check?.({}), [{ field: "name", description: "is required" }]);
  assert.deepEqual(definition.check?.({ name: "a" }), []);
  const [violation, ...more] = definition.check?.({ names: [] }) ?? [];
  assert.deepEqual([violation?.field, more], ["", []]);
  assert.match(
    violation?.description ?? "",
    /^the request is no google\.cloud\.automl\..*"names" is unknown/,
  );
});

test("a response other than the annotation's is refused at the definition", () => {
  assert.throws(
    () =>
      defineMethod(
        { type: "automl.create-model", method: AutoMl.method.createModel, response: EmptySchema },
        async () => {},
      ),
    {
      name: "TypeError",
      message:
        "google.cloud.automl.v1beta1.AutoMl.CreateModel declares the response google.cloud.automl.v1beta1.Model, and its handler google.protobuf.Empty",
    },
  );
});

test("a method that starts no operation is refused at the definition", () => {
  assert.throws(
    () =>
      defineMethod(
        { type: "x.wait", method: Operations.method.waitOperation, response: EmptySchema },
        async () => {},
      ),
    {
      name: "TypeError",
      message: /^google\.longrunning\.Operations\.WaitOperation starts no operation; expected/,
    },
  );
});
