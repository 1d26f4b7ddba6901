// The arithmetic against a second, slower way to compute the same.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CLASSES, IMAGE_PIXELS } from "./digits.ts";
import { Network, randomWeights, weightCount } from "./network.ts";
import { seededRandom } from "./seeded-random.ts";
import { readModel, storeModel } from "./stored-model.ts";

const HIDDEN = 5;

/** The cross-entropy of one image in double precision, written down as the formulas are. */
function loss(weights: ArrayLike<number>, pixels: Float32Array, label: number): number {
  const at = (index: number): number => weights[index]!;
  const bias = IMAGE_PIXELS * HIDDEN;
  const output = bias + HIDDEN;
  const hidden = Array.from({ length: HIDDEN }, (_, j) => {
    let sum = at(bias + j);
    for (let i = 0; i < IMAGE_PIXELS; i++) sum += pixels[i]! * at(i * HIDDEN + j);
    return Math.max(0, sum);
  });
  const scores = Array.from({ length: CLASSES }, (_, k) =>
    hidden.reduce(
      (sum, active, j) => sum + active * at(output + j * CLASSES + k),
      at(output + HIDDEN * CLASSES + k),
    ),
  );
  return Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0)) - scores[label]!;
}

function randomImage(seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: IMAGE_PIXELS }, () => (random() < 0.8 ? 0 : random()));
}

test("a first step goes against the gradient of the cross-entropy, as differences tell it", () => {
  const before = randomWeights(HIDDEN, seededRandom(7));
  const image = randomImage(3);
  const network = new Network(HIDDEN, before.slice());
  network.learn(image, 4);
  network.step(1, 1);
  const inked = image.findIndex((ink) => ink > 0.5);
  const bias = IMAGE_PIXELS * HIDDEN;
  const probes = [
    ...Array.from({ length: HIDDEN }, (_, j) => inked * HIDDEN + j),
    ...Array.from({ length: weightCount(HIDDEN) - bias }, (_, index) => bias + index),
  ];
  for (const index of probes) {
    const moved = (by: number): number =>
      loss(
        Float64Array.from(before, (weight, at) => (at === index ? weight + by : weight)),
        image,
        4,
      );
    const slope = (moved(1e-4) - moved(-1e-4)) / 2e-4;
    const step = before[index]! - network.weights[index]!;
    assert.ok(Math.abs(step - slope) < 1e-3, `weight ${index}: ${step} and not ${slope}`);
  }
});

test("a step moves by the mean of its images, and the next one begins anew", () => {
  const start = randomWeights(HIDDEN, seededRandom(1));
  const once = new Network(HIDDEN, start.slice());
  once.learn(randomImage(1), 0);
  once.step(0.1, 1);
  const twice = new Network(HIDDEN, start.slice());
  twice.learn(randomImage(1), 0);
  twice.learn(randomImage(1), 0);
  twice.step(0.1, 2);
  for (const [index, weight] of once.weights.entries()) {
    assert.ok(Math.abs(weight - twice.weights[index]!) < 1e-6);
  }
  // Nothing was learned since: only nine tenths of the last step are left to go.
  const [before, after] = [once.weights.slice(), once.weights];
  once.step(0.1, 1);
  for (const [index, weight] of after.entries()) {
    const wanted = before[index]! + 0.9 * (before[index]! - start[index]!);
    assert.ok(Math.abs(weight - wanted) < 1e-5);
  }
});

test("a network takes only as many weights as its hidden units have", () => {
  assert.equal(weightCount(1), 805);
  assert.throws(() => new Network(2, new Float32Array(805)), {
    name: "RangeError",
    message: "805 weights; 2 hidden units have 1600",
  });
});

test("a stored model has the same weights to three digits", () => {
  const weights = randomWeights(HIDDEN, seededRandom(5));
  const stored = storeModel(HIDDEN, weights);
  assert.deepEqual(
    { ...stored, weights: stored.weights.length },
    {
      inputs: 784,
      hidden: 5,
      outputs: 10,
      encoding: "float16",
      weights: 4 * Math.ceil((2 * weightCount(5)) / 3),
    },
  );
  const again = readModel(stored);
  for (const [index, weight] of weights.entries()) {
    assert.ok(Math.abs(weight - again[index]!) <= Math.abs(weight) / 1_000 + 1e-7);
  }
  assert.throws(() => readModel({ ...stored, hidden: 6 }), {
    message: "the model has 7970 bytes; 6 hidden units have 9560",
  });
});
