// The levels that --log-level and belay.yaml take; beside the schema, which loads zod.
import type { LogLevel } from "../../base/logger.ts";

/** From the fewest lines to the most, and none. */
export const logLevels: readonly LogLevel[] = ["fatal", "error", "warn", "info", "debug", "trace", "silent"];
