// A whole training, as a user would ask for it: what it learns is tried on digits that it has not seen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordedContext } from "../recorded-context.fixture.ts";
import { loadDigits } from "./digits.ts";
import { Network } from "./network.ts";
import { readModel, type StoredModel } from "./stored-model.ts";
import { handler } from "./train.ts";
import { accuracyOf } from "./trainer.ts";

const settings = { epochs: 20, hidden: 32, batchSize: 16, imagesPerDigit: 400 };

interface Answer {
  accuracy: number;
  validationAccuracy: number;
  epoch: number;
  trainingImages: number;
  testImages: number;
  model: StoredModel;
}

test("400 images of each digit make a model that names nine of ten unseen ones, and it is in the response", async () => {
  const recorded = new RecordedContext();
  const answer = (await handler(recorded.context, settings)) as unknown as Answer;
  assert.ok(answer.accuracy > 0.9, `accuracy ${answer.accuracy}`);
  assert.deepEqual([answer.trainingImages, answer.testImages], [3_200, 400]);
  const { test: held } = await loadDigits(settings.imagesPerDigit, new AbortController().signal);
  const network = new Network(answer.model.hidden, readModel(answer.model));
  assert.equal(accuracyOf(network, held), answer.accuracy);
  const messages = recorded.progress.map(([, message]) => message);
  assert.equal(messages.length, 21);
  assert.equal(messages[0], "reading the digits");
  assert.match(messages[3]!, /^epoch 3 of 20, accuracy 0\.\d\d$/);
  assert.deepEqual(recorded.progress.at(3)?.[0], 15);
  assert.deepEqual(recorded.progress.at(-1)?.[0], 100);
  const kept = recorded.checkpoints.map(({ accuracy }) => accuracy as number);
  assert.ok(
    kept.every((accuracy, index) => index === 0 || accuracy > kept[index - 1]!),
    "only what is better",
  );
  const { epoch, validationAccuracy: accuracy, model } = answer;
  assert.deepEqual(recorded.checkpoints.at(-1), { epoch, accuracy, model });
});
