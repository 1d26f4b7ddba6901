// The training itself: epochs of batches, with the best model so far in the checkpoint. Between two batches it looks
// whether it must stop, so that a cancel takes no longer than one.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { JsonObject, OperationContext } from "belayd/worker";
import { type DigitSet, type Digits, imageOf, loadDigits } from "./digits.ts";
import { distort, imageRoom } from "./distortion.ts";
import { Network, randomWeights } from "./network.ts";
import { seededRandom, shuffle } from "./seeded-random.ts";
import type { Settings } from "./settings.ts";
import { readModel, type StoredModel, storeModel } from "./stored-model.ts";

/** What a checkpoint holds: the model that did best, and the epoch it comes from. */
interface Best {
  epoch: number;
  /** Of the validation images. */
  accuracy: number;
  model: StoredModel;
}

/** The best model of a training. */
export interface Trained {
  readonly model: StoredModel;
  /** The epoch that it comes from, counted from 1. */
  readonly epoch: number;
  /** The share of the images that it names rightly: of those that chose it, and of those that nothing depended on. */
  readonly validationAccuracy: number;
  readonly testAccuracy: number;
  readonly trainingImages: number;
  readonly testImages: number;
}

/**
 * Trains until the epochs are over, or throws the reason of the context's signal within one batch. A later attempt goes
 * on with the checkpoint's model after the checkpoint's epoch. `facts` are kept in each checkpoint beside the model.
 */
export async function train(
  context: OperationContext,
  settings: Settings,
  facts: JsonObject = {},
): Promise<Trained> {
  const { epochs, hidden, seed, imagesPerDigit } = settings;
  context.progress(0, "reading the digits");
  const digits = await loadDigits(imagesPerDigit, context.signal);
  let best = bestBefore(context.checkpointed);
  if (best) context.log("going on after a checkpoint", { epoch: best.epoch, accuracy: best.accuracy });
  const weights = best ? readModel(best.model) : randomWeights(hidden, seededRandom(seed));
  const network = new Network(hidden, weights);
  for (let epoch = (best?.epoch ?? 0) + 1; epoch <= epochs; epoch++) {
    await runEpoch(network, digits.training, { ...settings, epoch, signal: context.signal });
    const accuracy = accuracyOf(network, digits.validation);
    context.progress((100 * epoch) / epochs, `epoch ${epoch} of ${epochs}, accuracy ${accuracy.toFixed(2)}`);
    if (best && accuracy <= best.accuracy) continue;
    best = { epoch, accuracy, model: storeModel(hidden, network.weights) };
    await context.checkpoint({ ...facts, ...best });
  }
  if (!best) throw new RangeError(`${epochs} epochs leave no model`);
  return describe(best, digits);
}

interface Epoch extends Settings {
  epoch: number;
  signal: AbortSignal;
}

async function runEpoch(network: Network, set: DigitSet, options: Epoch): Promise<void> {
  const { epoch, epochs, seed, batchSize, signal } = options;
  // An epoch's order and distortions depend on its number alone: an attempt that goes on meets the same ones.
  const random = seededRandom(seed, epoch);
  const order = Uint32Array.from(set.labels.keys());
  shuffle(order, random);
  const learningRate = (options.learningRate * (1 + Math.cos((Math.PI * (epoch - 1)) / epochs))) / 2;
  const drawn = imageRoom();
  for (let start = 0; start < order.length; start += batchSize) {
    // The abort comes as an event: it is let in here.
    await nextTurn();
    signal.throwIfAborted();
    const batch = order.subarray(start, start + batchSize);
    for (const index of batch) {
      distort(imageOf(set, index), drawn, random);
      network.learn(drawn, set.labels[index] as number);
    }
    network.step(learningRate, batch.length);
  }
}

/** The share of images that the network names rightly. */
export function accuracyOf(network: Network, set: DigitSet): number {
  let right = 0;
  for (const [index, label] of set.labels.entries()) {
    if (network.classify(imageOf(set, index)) === label) right++;
  }
  return right / set.labels.length;
}

/** The test images are asked for once, at the end, and of the model as it is stored. */
function describe({ epoch, accuracy, model }: Best, { training, test }: Digits): Trained {
  return {
    epoch,
    validationAccuracy: accuracy,
    testAccuracy: accuracyOf(new Network(model.hidden, readModel(model)), test),
    trainingImages: training.labels.length,
    testImages: test.labels.length,
    // Last: whoever looks at the response sees the figures before the weights.
    model,
  };
}

/** The checkpoint of an earlier attempt: it was written above, with the same settings. */
function bestBefore(checkpoint: JsonObject | null): Best | undefined {
  if (!checkpoint) return undefined;
  const { epoch, accuracy, model } = checkpoint as unknown as Best;
  return { epoch, accuracy, model };
}
