// automl.train and automl.create-model as the worker runs them, and the model's request and response.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "belayd/worker";
import { ExampleRun } from "../example-worker.fixture.ts";
import { RecordedContext } from "../recorded-context.fixture.ts";
import { handler as createModel } from "./create-model.ts";
import { checkModelRequest } from "./model-request.ts";
import { operations } from "./operations.ts";

const request = {
  parent: "projects/p/locations/us-central1",
  model: {
    displayName: "digits_1",
    datasetId: "digits",
    imageClassificationModelMetadata: { trainBudget: "1", modelType: "mobile-low-latency-1" },
  },
};

for (const [type, input] of [
  ["automl.train", {}],
  ["automl.create-model", request],
] as const) {
  test(`a cancel in the middle of an epoch stops ${type} at once, and the best model is kept`, async () => {
    await using run = new ExampleRun();
    await run.start(operations, { type, input });
    await run.reported("checkpoint");
    const cancelledAt = performance.now();
    run.cancel(5_000);
    const { abortCaused, evidence, mechanism } = await run.reported("fail");
    const tookMs = performance.now() - cancelledAt;
    assert.deepEqual(
      { abortCaused, evidence, mechanism },
      { abortCaused: true, evidence: "HANDLER_STOPPED", mechanism: "SIGNAL" },
    );
    assert.ok(tookMs < 1_000, `took ${tookMs} ms`);
    const { accuracy, model } = run.checkpoint as { accuracy: number; model: { encoding: string } };
    assert.ok(accuracy > 0.3, `accuracy ${accuracy}`);
    assert.equal(model.encoding, "float16");
    const reports = run.reports.length;
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(run.reports.length, reports);
  });
}

test("automl.train of settings that cannot be fails with INVALID_ARGUMENT", async () => {
  await using run = new ExampleRun();
  await run.start(operations, { type: "automl.train", input: { epochs: 0 } });
  const { error, retryable } = await run.reported("fail");
  assert.deepEqual(error, { code: 3, message: "epochs 0 is not a whole number from 1 to 1000" });
  assert.equal(retryable, false);
});

test("the response of automl.create-model is the Model, with one name for all attempts", async () => {
  // The checkpoint of the last epoch but one: the rest takes a second.
  const stopped = new AbortController();
  const first = new RecordedContext({ signal: stopped.signal });
  const keep = first.context.checkpoint;
  const context = {
    ...first.context,
    checkpoint: async (state: JsonObject) => {
      await keep(state);
      stopped.abort();
    },
  };
  await assert.rejects(createModel(context, request), { name: "AbortError" });
  const [kept] = first.checkpoints;
  const { createTime } = kept!;
  const second = new RecordedContext({ checkpointed: { ...kept, epoch: 199 } });
  const { updateTime, name, ...model } = await createModel(second.context, request);
  assert.match(String(name), /^projects\/p\/locations\/us-central1\/models\/ICN\d{19}$/);
  assert.ok(Date.parse(String(createTime)) < Date.parse(String(updateTime)));
  assert.deepEqual(model, {
    displayName: "digits_1",
    datasetId: "digits",
    imageClassificationModelMetadata: {
      trainBudget: "1",
      modelType: "mobile-low-latency-1",
      trainCost: "1",
      stopReason: "MODEL_CONVERGED",
    },
    createTime,
    deploymentState: "UNDEPLOYED",
  });
  assert.equal(second.progress.at(-1)?.[0], 100);
});

test("a model that cannot be made is refused with the field and what may be in it", async () => {
  const { parent, model } = request;
  const metadata = { imageClassificationModelMetadata: {} };
  const rows: readonly [JsonObject, number, RegExp][] = [
    [{}, 3, /^parent "" is not of the form projects\/\*\/locations\/\*$/],
    [{ parent: "projects/p/locations/l/models/m", model }, 3, /^parent "projects/],
    [{ parent }, 3, /^model\.display_name "" is not a letter and up to 31 /],
    [{ parent, model: { ...model, displayName: "1st" } }, 3, /^model\.display_name "1st"/],
    [{ parent, model: { ...model, displayName: "a".repeat(33) } }, 3, /^model\.display_name/],
    [{ parent, model: { displayName: "a", datasetId: "digits" } }, 3, /metadata is missing/],
    [{ parent, model: { displayName: "a", ...metadata } }, 5, /^there is no dataset ""; there is: digits$/],
    [{ parent, model: { ...model, datasetId: "ICN1" } }, 5, /^there is no dataset "ICN1"/],
    [modelWith({ trainBudget: "0" }), 3, /^train_budget "0" is not a number of hours, at least 1$/],
    [modelWith({ trainBudget: "soon" }), 3, /^train_budget "soon"/],
    [modelWith({ baseModelId: "ICN2" }), 3, /^base_model_id is set, but /],
    [
      modelWith({ modelType: "huge" }),
      3,
      /^there is no model_type "huge"; there are: cloud, mobile-low-latency-1, /,
    ],
    [modelWith({ modelType: "toString" }), 3, /^there is no model_type/],
  ];
  for (const [input, code, message] of rows) {
    const recorded = new RecordedContext();
    await assert.rejects(createModel(recorded.context, input), { code, message });
    assert.deepEqual(recorded.progress, []);
    const told = checkModelRequest(input).filter(({ description }) => message.test(description));
    assert.equal(told.length, 1, String(message));
  }
});

test("before a start, all that is wrong with a model is told by its field", () => {
  assert.deepEqual(checkModelRequest(request), []);
  assert.deepEqual(
    checkModelRequest({ parent: "p", model: { imageClassificationModelMetadata: { trainBudget: "0" } } }).map(
      ({ field }) => field,
    ),
    [
      "parent",
      "model.display_name",
      "model.dataset_id",
      "model.image_classification_model_metadata.train_budget",
    ],
  );
});

function modelWith(imageClassificationModelMetadata: JsonObject): JsonObject {
  return { parent: request.parent, model: { ...request.model, imageClassificationModelMetadata } };
}
