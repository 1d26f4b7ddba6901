// What a failure of PostgreSQL, or of the way to it, means. By SQLSTATE (Appendix A of its manual), never by the words of
// a message, which may be in any language.

import { UnsafeServer } from "./durability.ts";

/**
 * - `race`: somebody else was first, or a deadlock was broken: nothing was committed; load and decide again.
 * - `lost`: the connection is gone or useless; what was not sent was not done, of what was sent nobody knows.
 * - `readOnly`: the server takes no writes: it is a standby now. Nothing was committed; another one must be found.
 * - `prepared`: a prepared statement is not where it was left (a pooler gave another connection).
 * - `full`: the disk is full, nothing was committed.
 * - `busy`: too many connections, out of memory, timed out waiting: nothing was committed; later it may be.
 * - `taken`: a key is there already.
 * - `command`: the rows that were to be written break a rule: a bug of one command.
 */
export type PostgresFailure =
  | "race"
  | "lost"
  | "readOnly"
  | "prepared"
  | "full"
  | "busy"
  | "taken"
  | "command";

/** Raised by `belay_expect` where fewer rows were written than were to be: a lost compare-and-set. */
export const LOST_RACE = "BL001";

const BY_STATE: Record<string, PostgresFailure> = {
  [LOST_RACE]: "race",
  "40001": "race",
  "40P01": "race",
  "55P03": "race",
  "23505": "taken",
  "25006": "readOnly",
  "26000": "prepared",
  "42P05": "prepared",
  "0A000": "prepared",
  "53100": "full",
  "25P03": "lost",
  "25P04": "lost",
  "57P05": "lost",
};

const BY_CLASS: Record<string, PostgresFailure> = {
  "08": "lost",
  "53": "busy",
  "55": "busy",
  "57": "busy",
  "58": "busy",
  XX: "busy",
};

/** The SQLSTATE of an error, or "". */
export function sqlState(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : "";
}

/** Ends the session, whatever it says. */
function isFatal(error: unknown): boolean {
  if (typeof error !== "object" || error === null || !("severity" in error)) return false;
  return error.severity === "FATAL" || error.severity === "PANIC";
}

/** The connection is gone, or could not be made; what was not sent was not done. */
export class ConnectionLost extends Error {
  constructor(cause: unknown) {
    super(describePostgresError(cause), { cause });
  }
}

/** Nobody knows what became of what was sent: it may be committed. */
export class UnknownOutcome extends Error {
  constructor(cause: unknown) {
    super("the connection was lost after the statements were sent", { cause });
  }
}

/** The server takes no writes: a standby, or one that is about to be. */
export class ReadOnlyServer extends Error {
  constructor() {
    super("the server is read-only");
  }
}

/** What an error means. One that is neither the server's nor the connection's is what the caller's own code threw. */
export function postgresFailure(error: unknown): PostgresFailure {
  if (error instanceof ConnectionLost || error instanceof UnknownOutcome) return "lost";
  if (error instanceof ReadOnlyServer) return "readOnly";
  if (isFatal(error)) return "lost";
  const state = sqlState(error);
  return BY_STATE[state] ?? BY_CLASS[state.slice(0, 2)] ?? "command";
}

/** Who may enter what, and what the server promises: it does not heal by itself. */
export function isLasting(error: unknown): boolean {
  if (error instanceof UnsafeServer) return true;
  const state = sqlState(error);
  return /^(28|3D)/.test(state) || state === "42501";
}

/** For the log: no value of a row, no SQL, no password. */
export function describePostgresError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.message === "")
    return error.errors.map(describePostgresError).join("; ");
  const state = sqlState(error);
  return state === "" ? error.message : `${error.message} (SQLSTATE ${state})`;
}
