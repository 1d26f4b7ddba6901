// The classifier: 784 pixels, one hidden layer with ReLU, ten classes with softmax; trained by stochastic gradient
// descent with momentum. Arithmetic on typed arrays only: no clock, no signal, no files.
import { CLASSES, IMAGE_PIXELS } from "./digits.ts";
import { normal, type Random } from "./seeded-random.ts";

/** The share of a step that the next one repeats. */
const MOMENTUM = 0.9;

/** How many numbers a network with that many hidden units is. */
export function weightCount(hidden: number): number {
  return (IMAGE_PIXELS + 1) * hidden + (hidden + 1) * CLASSES;
}

/** One number for each connection and each unit, in one buffer: in this order a model is stored, too. */
interface Layers {
  readonly all: Float32Array;
  /** From pixel i to hidden unit j: [i * hidden + j]. */
  readonly input: Float32Array;
  readonly inputBias: Float32Array;
  /** From hidden unit j to class k: [j * CLASSES + k]. */
  readonly output: Float32Array;
  readonly outputBias: Float32Array;
}

function layersOf(all: Float32Array, hidden: number): Layers {
  const inputEnd = IMAGE_PIXELS * hidden;
  const outputStart = inputEnd + hidden;
  const outputEnd = outputStart + hidden * CLASSES;
  return {
    all,
    input: all.subarray(0, inputEnd),
    inputBias: all.subarray(inputEnd, outputStart),
    output: all.subarray(outputStart, outputEnd),
    outputBias: all.subarray(outputEnd),
  };
}

/** Weights to begin with: He's deviation for the inputs of a ReLU layer, biases 0. */
export function randomWeights(hidden: number, random: Random): Float32Array {
  const layers = layersOf(new Float32Array(weightCount(hidden)), hidden);
  for (let i = 0; i < layers.input.length; i++)
    layers.input[i] = normal(random) * Math.sqrt(2 / IMAGE_PIXELS);
  for (let i = 0; i < layers.output.length; i++) layers.output[i] = normal(random) * Math.sqrt(2 / hidden);
  return layers.all;
}

/** A network in training. It takes over the weights and changes them with each step. */
export class Network {
  readonly hidden: number;
  readonly #weights: Layers;
  readonly #gradient: Layers;
  readonly #velocity: Float32Array;
  readonly #activation: Float32Array;
  readonly #hiddenError: Float32Array;
  readonly #scores: Float32Array = new Float32Array(CLASSES);
  /** The pixels of the image at hand that are not blank: four of five are, and take no part. */
  readonly #inked: Uint16Array = new Uint16Array(IMAGE_PIXELS);
  #inkedCount = 0;

  constructor(hidden: number, weights: Float32Array) {
    if (weights.length !== weightCount(hidden)) {
      throw new RangeError(`${weights.length} weights; ${hidden} hidden units have ${weightCount(hidden)}`);
    }
    this.hidden = hidden;
    this.#weights = layersOf(weights, hidden);
    this.#gradient = layersOf(new Float32Array(weights.length), hidden);
    this.#velocity = new Float32Array(weights.length);
    this.#activation = new Float32Array(hidden);
    this.#hiddenError = new Float32Array(hidden);
  }

  get weights(): Float32Array {
    return this.#weights.all;
  }

  /** The digit that the image shows most likely. */
  classify(pixels: Float32Array): number {
    this.#forward(pixels);
    let best = 0;
    for (let k = 1; k < CLASSES; k++) {
      if ((this.#scores[k] as number) > (this.#scores[best] as number)) best = k;
    }
    return best;
  }

  /** Adds the gradient of one image's cross-entropy; `step` uses the sum. */
  learn(pixels: Float32Array, label: number): void {
    this.#forward(pixels);
    this.#softmaxError(label);
    this.#backwardOutput();
    this.#backwardInput(pixels);
  }

  /** Moves the weights against the mean gradient of the images learned since the last step. */
  step(learningRate: number, images: number): void {
    const { all: weights } = this.#weights;
    const { all: gradient } = this.#gradient;
    const velocity = this.#velocity;
    const rate = learningRate / images;
    for (let i = 0; i < weights.length; i++) {
      const change = MOMENTUM * (velocity[i] as number) - rate * (gradient[i] as number);
      velocity[i] = change;
      weights[i] = (weights[i] as number) + change;
    }
    gradient.fill(0);
  }

  #forward(pixels: Float32Array): void {
    const { input, inputBias, output, outputBias } = this.#weights;
    const activation = this.#activation;
    const hidden = this.hidden;
    activation.set(inputBias);
    this.#inkedCount = 0;
    for (let i = 0; i < IMAGE_PIXELS; i++) {
      const ink = pixels[i] as number;
      if (ink === 0) continue;
      this.#inked[this.#inkedCount++] = i;
      const row = i * hidden;
      for (let j = 0; j < hidden; j++)
        activation[j] = (activation[j] as number) + ink * (input[row + j] as number);
    }
    const scores = this.#scores;
    scores.set(outputBias);
    for (let j = 0; j < hidden; j++) {
      const active = activation[j] as number;
      if (active <= 0) {
        activation[j] = 0;
        continue;
      }
      for (let k = 0; k < CLASSES; k++) {
        scores[k] = (scores[k] as number) + active * (output[j * CLASSES + k] as number);
      }
    }
  }

  /** Turns the scores into the error of each class: its probability, less 1 for the right one. */
  #softmaxError(label: number): void {
    const scores = this.#scores;
    const highest = Math.max(...scores);
    let sum = 0;
    for (let k = 0; k < CLASSES; k++) sum += scores[k] = Math.exp((scores[k] as number) - highest);
    for (let k = 0; k < CLASSES; k++) scores[k] = (scores[k] as number) / sum - (k === label ? 1 : 0);
  }

  #backwardOutput(): void {
    const { output } = this.#weights;
    const { output: outputGradient, outputBias, inputBias } = this.#gradient;
    const error = this.#scores;
    for (let k = 0; k < CLASSES; k++) outputBias[k] = (outputBias[k] as number) + (error[k] as number);
    for (let j = 0; j < this.hidden; j++) {
      const active = this.#activation[j] as number;
      let sum = 0;
      // A unit that was off passes nothing on, in either direction.
      if (active > 0) {
        for (let k = 0; k < CLASSES; k++) {
          const at = j * CLASSES + k;
          sum += (error[k] as number) * (output[at] as number);
          outputGradient[at] = (outputGradient[at] as number) + (error[k] as number) * active;
        }
      }
      this.#hiddenError[j] = sum;
      inputBias[j] = (inputBias[j] as number) + sum;
    }
  }

  #backwardInput(pixels: Float32Array): void {
    const { input } = this.#gradient;
    const error = this.#hiddenError;
    const hidden = this.hidden;
    for (let n = 0; n < this.#inkedCount; n++) {
      const i = this.#inked[n] as number;
      const ink = pixels[i] as number;
      const row = i * hidden;
      for (let j = 0; j < hidden; j++)
        input[row + j] = (input[row + j] as number) + ink * (error[j] as number);
    }
  }
}
