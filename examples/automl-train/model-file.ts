// A trained model on disk, for programs that use it: its weights, and a card that says what they are. The two belong
// together, so they are put into place together: neither a cancel nor its force comes between them.
import { createHash } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { JsonObject, OperationContext } from "belayd/worker";
import type { Trained } from "./trainer.ts";

/** Where models go: AUTOML_MODELS, or `models` in this folder. */
export function modelsFolder(): string {
  const { AUTOML_MODELS: folder = fileURLToPath(new URL("./models", import.meta.url)) } = process.env;
  return folder;
}

/**
 * Writes `NAME.f16`, the weights as StoredModel says, and `NAME.json`, the card: everything else of it, and the SHA-256 of
 * the weights. They take the place of those that were there.
 */
export async function saveModel(
  { signal, critical, onCleanup }: OperationContext,
  name: string,
  { model, ...trained }: Trained,
): Promise<void> {
  const { weights: base64, ...shape } = model;
  const weights = Buffer.from(base64, "base64");
  const sha256 = createHash("sha256").update(weights).digest("hex");
  const card: JsonObject = { ...trained, ...shape, sha256 };
  const folder = modelsFolder();
  await mkdir(folder, { recursive: true });
  const drafts = await Promise.all(
    [
      { file: `${name}.f16`, content: weights },
      { file: `${name}.json`, content: `${JSON.stringify(card, null, 2)}\n` },
    ].map(async ({ file, content }) => {
      const draft = join(folder, `.${file}.${process.pid}.draft`);
      onCleanup(() => rm(draft, { force: true }));
      await writeFile(draft, content, { signal, flush: true });
      return { draft, path: join(folder, file) };
    }),
  );
  await critical("replacing the model", async () => {
    for (const { draft, path } of drafts) await rename(draft, path);
  });
}
