// The form of belay.yaml. Its keys and their defaults are told in docs/reference/config.md, which a test compares.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import type { LogLevel } from "../../base/logger.ts";
import type { AuthConfig } from "../../server/auth/auth-config.ts";
import { defaultLimits, type ServerLimits } from "../../server/config.ts";
import type { TlsOptions } from "../../server/tls/tls-options.ts";
import { parseDuration } from "../duration.ts";
import { authSchema } from "./auth-schema.ts";
import { logLevels } from "./log-levels.ts";
import { type ServiceEntry, serviceSchema } from "./service-schema.ts";
import type { StoreConfig } from "./store-config.ts";
import { storeSchema } from "./store-schema.ts";

/** A file as it is written, with absolute paths and durations in milliseconds. */
export interface ConfigFile {
  host?: string | undefined;
  port?: number | undefined;
  data?: string | undefined;
  store?: StoreConfig | undefined;
  slots?: number | undefined;
  logLevel?: LogLevel | undefined;
  shutdownDelay?: number | undefined;
  shutdownGrace?: number | undefined;
  tls?: TlsOptions | undefined;
  auth?: AuthConfig | undefined;
  limits?: Partial<ServerLimits> | undefined;
  operations?: string[] | undefined;
  exec?: Record<string, string> | undefined;
  services?: ServiceEntry[] | undefined;
}

/** Bytes, milliseconds and counts: none of them needs more. */
const LIMIT_MAX = 2_147_483_647;

/** The schema of a file in a folder: its paths are relative to that, and must be there where they are read. */
export function configSchema(folder: string): z.ZodType<ConfigFile> {
  const path = z
    .string()
    .min(1)
    .transform((name) => resolve(folder, name));
  const file = z
    .string()
    .min(1)
    .transform((name, context) => {
      const absolute = resolve(folder, name);
      if (!existsSync(absolute)) {
        context.addIssue({ code: "custom", message: `there is no file ${absolute}`, input: name });
      }
      return absolute;
    });
  return z.strictObject({
    host: z.string().min(1).optional(),
    port: z.int().min(0).max(65_535).optional(),
    data: path.optional(),
    store: storeSchema(path).optional(),
    slots: z.int().min(1).max(10_000).optional(),
    logLevel: z.enum(logLevels).optional(),
    shutdownDelay: duration.optional(),
    shutdownGrace: duration.optional(),
    tls: tlsSchema(file).optional(),
    auth: authSchema(file).optional(),
    limits: limitsSchema().optional(),
    operations: z.array(file).optional(),
    exec: z.record(z.string(), z.string()).optional(),
    services: z.array(serviceSchema(file)).optional(),
  }) as unknown as z.ZodType<ConfigFile>;
}

const duration = z.string().transform((text, context) => {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) {
    const message = `${JSON.stringify(text)} is no duration; expected one such as 500ms, 30s, 1.5m, 2h`;
    context.addIssue({ code: "custom", message, input: text });
  }
  return milliseconds ?? 0;
});

function tlsSchema(file: z.ZodType<string, string>): z.ZodType<TlsOptions> {
  const schema = z.strictObject({
    certFile: file,
    keyFile: file,
    alpnPreference: z.enum(["http/1.1", "h2"]).optional(),
    cleartext: z.boolean().optional(),
  });
  return schema as unknown as z.ZodType<TlsOptions>;
}

function limitsSchema(): z.ZodType<Partial<ServerLimits>> {
  const limit = z.int().min(1).max(LIMIT_MAX).optional();
  const limitOrNone = z.int().min(0).max(LIMIT_MAX).optional();
  const shape = Object.fromEntries(
    Object.entries(defaultLimits).map(([name, value]) => [name, value === 0 ? limitOrNone : limit]),
  );
  return z.strictObject(shape) as unknown as z.ZodType<Partial<ServerLimits>>;
}
