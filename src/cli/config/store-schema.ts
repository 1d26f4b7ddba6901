// The form of `store:` in belay.yaml: a URL, or a table with one. Without it the operations are in the data folder, in SQLite.
import { existsSync } from "node:fs";
import { z } from "zod";
import { isStoreUrl, STORE_URL_FORM, type StoreConfig } from "./store-config.ts";

const POOL_SIZE_MAX = 200;
const DATABASES_MAX = 32;
const IDS_MAX = 10_000;

/** `path` makes names absolute. */
export function storeSchema(path: z.ZodType<string, string>): z.ZodType<StoreConfig> {
  const url = z.string().refine(isStoreUrl, { error: STORE_URL_FORM });
  const place = {
    url,
    passwordFile: path.optional(),
    poolSize: z.int().min(2).max(POOL_SIZE_MAX).optional(),
  };
  const ids = z.array(z.string().min(1).max(256)).min(1).max(IDS_MAX);
  const database = z
    .strictObject({ ...place, services: ids.optional(), tenants: ids.optional() })
    .refine(({ services, tenants }) => services !== undefined || tenants !== undefined, {
      error: "names neither services nor tenants: nothing would be in it",
    });
  const table = z.strictObject({
    ...place,
    databases: z.array(database).min(1).max(DATABASES_MAX).optional(),
    applicationName: z.string().min(1).max(63).optional(),
    listen: z.boolean().optional(),
  });
  const short = url.transform((text) => ({ url: text }));
  const error =
    "is no store; expected postgres://user@host/database, or a table with it as url, and passwordFile, " +
    `poolSize (2 to ${POOL_SIZE_MAX}), applicationName, listen (true, false), databases (each with url, and ` +
    "services or tenants)";
  const store = z.union([short, table], { error: () => error }).superRefine((value, context) => {
    // A union tells nothing of what is wrong inside of it, so this is looked at last.
    const { passwordFile, databases = [] } = value as StoreConfig;
    const check = (file: string | undefined, at: (string | number)[]): void => {
      if (file === undefined || existsSync(file)) return;
      context.addIssue({ code: "custom", message: `there is no file ${file}`, path: at, input: file });
    };
    check(passwordFile, ["passwordFile"]);
    for (const [index, each] of databases.entries()) {
      check(each.passwordFile, ["databases", index, "passwordFile"]);
    }
  });
  return store as unknown as z.ZodType<StoreConfig>;
}
