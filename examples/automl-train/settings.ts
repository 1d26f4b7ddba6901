// How a network is trained, as a payload may say it.
import type { FieldViolation, JsonObject } from "belayd/worker";
import { IMAGES_PER_DIGIT_MAX } from "./digits.ts";

/** google.rpc.Code.INVALID_ARGUMENT: the operation fails with it. */
const INVALID_ARGUMENT = 3;

/** The payload asks for what cannot be done; the message names the field and its limits. */
export class InvalidPayload extends Error {
  override name = "InvalidPayload";
  readonly code: number = INVALID_ARGUMENT;
}

/** The same settings train the same model. */
export interface Settings {
  /** Rounds over all images. Default 200: two minutes or so. */
  readonly epochs: number;
  /** The size of the first steps; it shrinks to nothing along half a cosine. Default 0.05. */
  readonly learningRate: number;
  /** Hidden units. Default 64; the model of 120 just fits a checkpoint. */
  readonly hidden: number;
  /** Images of one step. Default 32. */
  readonly batchSize: number;
  readonly seed: number;
  /** How many images of each digit are used, for training and for both tests of it. Default: all. */
  readonly imagesPerDigit: number;
}

interface Range {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly isFraction?: true;
}

const ranges: Readonly<Record<keyof Settings, Range>> = {
  epochs: { default: 200, min: 1, max: 1_000 },
  learningRate: { default: 0.05, min: 0.0001, max: 1, isFraction: true },
  hidden: { default: 64, min: 1, max: 120 },
  batchSize: { default: 32, min: 1, max: 1_000 },
  seed: { default: 1, min: 0, max: 2 ** 32 - 1 },
  imagesPerDigit: { default: IMAGES_PER_DIGIT_MAX, min: 10, max: IMAGES_PER_DIGIT_MAX },
};

export const defaultSettings: Settings = readSettings({});

/** Reads `{"epochs": 40, "hidden": 32}`: all of it may be left out. Throws InvalidPayload. */
export function readSettings({ saveAs: _file, ...input }: JsonObject): Settings {
  checkNames(input);
  const read = (key: keyof Settings): number => readNumber(key, input[key], ranges[key]);
  return {
    epochs: read("epochs"),
    learningRate: read("learningRate"),
    hidden: read("hidden"),
    batchSize: read("batchSize"),
    seed: read("seed"),
    imagesPerDigit: read("imagesPerDigit"),
  };
}

/** The name of the files that the model is saved as, `{"saveAs": "digits-1"}`; null for none. Throws InvalidPayload. */
export function readSaveAs({ saveAs = null }: JsonObject): string | null {
  if (saveAs === null || (typeof saveAs === "string" && /^[a-z][a-z0-9-]{0,62}$/.test(saveAs))) return saveAs;
  throw new InvalidPayload(
    `saveAs ${JSON.stringify(saveAs)} is not a small letter and up to 62 small letters, digits and hyphens`,
  );
}

/** Everything that readSettings and readSaveAs would refuse. */
export function checkSettings({ saveAs, ...input }: JsonObject): FieldViolation[] {
  const numbers = (Object.keys(ranges) as (keyof Settings)[]).map((key): [string, () => unknown] => [
    key,
    () => readNumber(key, input[key], ranges[key]),
  ]);
  const name = (): unknown => readSaveAs(saveAs === undefined ? {} : { saveAs });
  return violationsOf({ "": () => checkNames(input), ...Object.fromEntries(numbers), saveAs: name });
}

/** One violation for each reading that throws InvalidPayload, by the paths of their fields; `""` is the whole. */
export function violationsOf(readings: Readonly<Record<string, () => unknown>>): FieldViolation[] {
  return Object.entries(readings).flatMap(([field, read]) => {
    try {
      read();
      return [];
    } catch (error) {
      if (!(error instanceof InvalidPayload)) throw error;
      return [{ field, description: error.message }];
    }
  });
}

function checkNames(input: JsonObject): void {
  const unknown = Object.keys(input).find((key) => !Object.hasOwn(ranges, key));
  if (unknown === undefined) return;
  throw new InvalidPayload(
    `there is no setting ${JSON.stringify(unknown)}; there are: ${Object.keys(ranges).join(", ")}, saveAs`,
  );
}

function readNumber(key: string, value: unknown, range: Range): number {
  if (value === undefined) return range.default;
  const isNumber = typeof value === "number" && (range.isFraction || Number.isInteger(value));
  if (isNumber && value >= range.min && value <= range.max) return value;
  const kind = range.isFraction ? "a number" : "a whole number";
  throw new InvalidPayload(
    `${key} ${JSON.stringify(value)} is not ${kind} from ${range.min} to ${range.max}`,
  );
}
