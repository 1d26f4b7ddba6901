// The form of `store:` in belay.yaml: a URL, or a table with one. Without it the operations are in the data folder, in SQLite.
import { existsSync } from "node:fs";
import { z } from "zod";
import { isStoreUrl, STORE_URL_FORM, type StoreConfig } from "./store-config.ts";

const POOL_SIZE_MAX = 200;

/** `path` makes names absolute. */
export function storeSchema(path: z.ZodType<string, string>): z.ZodType<StoreConfig> {
  const url = z.string().refine(isStoreUrl, { error: STORE_URL_FORM });
  const table = z.strictObject({
    url,
    passwordFile: path.optional(),
    poolSize: z.int().min(2).max(POOL_SIZE_MAX).optional(),
    applicationName: z.string().min(1).max(63).optional(),
    listen: z.boolean().optional(),
  });
  const short = url.transform((text) => ({ url: text }));
  const error =
    "is no store; expected postgres://user@host/database, or a table with it as url, and passwordFile, " +
    `poolSize (2 to ${POOL_SIZE_MAX}), applicationName, listen (true, false)`;
  const store = z.union([short, table], { error: () => error }).superRefine((value, context) => {
    // A union tells nothing of what is wrong inside of it, so this is looked at last.
    const { passwordFile } = value as StoreConfig;
    if (passwordFile === undefined || existsSync(passwordFile)) return;
    const message = `there is no file ${passwordFile}`;
    context.addIssue({ code: "custom", message, path: ["passwordFile"], input: passwordFile });
  });
  return store as unknown as z.ZodType<StoreConfig>;
}
