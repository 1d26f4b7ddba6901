// The handler of automl.train: trains with the settings of its payload, and answers the model itself.
import type { JsonObject, OperationContext } from "belayd/worker";
import { readSettings } from "./settings.ts";
import { train } from "./trainer.ts";

/**
 * Takes `{"epochs": 40}` and the like (Settings), checkpoints `{"epoch", "accuracy", "model"}` whenever the model got
 * better, and answers
 * `{"accuracy": 0.96, "validationAccuracy": 0.97, "epoch": 37, "trainingImages": 6910, "testImages": 860, "model": {...}}`:
 * `accuracy` is of test images that no decision depended on, `model` as StoredModel says.
 */
export async function handler(context: OperationContext, input: JsonObject): Promise<JsonObject> {
  const { testAccuracy: accuracy, ...trained } = await train(context, readSettings(input));
  return { accuracy, ...trained };
}
