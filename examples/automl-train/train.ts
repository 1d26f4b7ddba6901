// The handler of automl.train: trains with the settings of its payload, answers the model itself, and saves it if it is told
// to.
import type { JsonObject, OperationContext } from "belayd/worker";
import { saveModel } from "./model-file.ts";
import { readSaveAs, readSettings } from "./settings.ts";
import { train } from "./trainer.ts";

/**
 * Takes `{"epochs": 40}` and the like (Settings), checkpoints `{"epoch", "accuracy", "model"}` whenever the model got
 * better, and answers
 * `{"accuracy": 0.96, "validationAccuracy": 0.97, "epoch": 37, "trainingImages": 6910, "testImages": 860, "model": {...}}`:
 * `accuracy` is of test images that no decision depended on, `model` as StoredModel says. With `{"saveAs": "digits-1"}` the
 * model is in two files of the models folder, too (saveModel).
 */
export async function handler(context: OperationContext, input: JsonObject): Promise<JsonObject> {
  const saveAs = readSaveAs(input);
  const trained = await train(context, readSettings(input));
  if (saveAs !== null) await saveModel(context, saveAs, trained);
  const { testAccuracy: accuracy, ...rest } = trained;
  return { accuracy, ...rest };
}
