// The log: one JSON object a line on standard error (pino). Tokens and payloads are never logged.
import { type Logger, pino } from "pino";

export type { Logger };

export type LogLevel = "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";

/** Makes the process's logger. */
export function createLogger(level: LogLevel): Logger {
  return pino(
    { level, base: null, redact: ["authorization", "*.authorization", "token", "*.token"] },
    pino.destination({ fd: 2, sync: true }),
  );
}
