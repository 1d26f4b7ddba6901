import assert from "node:assert/strict";
import test from "node:test";
import {
  ConnectionLost,
  describePostgresError,
  type PostgresFailure,
  postgresFailure,
  ReadOnlyServer,
  sqlState,
  UnknownOutcome,
} from "./postgres-failure.ts";

function serverError(code: string, severity = "ERROR"): Error {
  return Object.assign(new Error("the server's words"), { code, severity });
}

const cases: readonly [error: unknown, failure: PostgresFailure][] = [
  [serverError("BL001"), "race"],
  [serverError("40P01"), "race"],
  [serverError("40001"), "race"],
  [serverError("23505"), "taken"],
  [serverError("23514"), "command"],
  [serverError("22021"), "command"],
  [serverError("P0001"), "command"],
  [serverError("25006"), "readOnly"],
  [serverError("26000"), "prepared"],
  [serverError("42P05"), "prepared"],
  [serverError("53100"), "full"],
  [serverError("53200"), "busy"],
  [serverError("57014"), "busy"],
  [serverError("57P01", "FATAL"), "lost"],
  [serverError("53300", "FATAL"), "lost"],
  [new ConnectionLost(new Error("ECONNRESET")), "lost"],
  [new UnknownOutcome(new Error("ECONNRESET")), "lost"],
  [new ReadOnlyServer(), "readOnly"],
  [new Error("a bug of the caller"), "command"],
];

test("each failure has one meaning, told by its SQLSTATE", () => {
  for (const [error, failure] of cases) assert.equal(postgresFailure(error), failure, String(error));
});

test("an error of the system is no SQLSTATE", () => {
  assert.equal(sqlState(Object.assign(new Error("refused"), { code: "ECONNREFUSED" })), "");
});

test("a line for the log has the words and the SQLSTATE, and nothing of a row", () => {
  const error = Object.assign(serverError("23505"), { detail: "Key (name)=(secret) already exists." });
  assert.equal(describePostgresError(error), "the server's words (SQLSTATE 23505)");
});
