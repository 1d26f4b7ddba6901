// The payload of vault.count: read for the handler, and checked before an operation starts. It loads nothing of the
// archive.
import type { FieldViolation, JsonObject } from "belayd/worker";
import { violationsOf } from "./field-readings.ts";
import { checkFields, InvalidQuery, type MessageQuery, queryTest, textField } from "./message-query.ts";
import type { MessageTest } from "./search-terms.ts";

const fields = ["mailbox", "terms", "from", "to", "startTime", "endTime", "ratePerSecond"];
const queryFields = ["terms", "from", "to", "startTime", "endTime"] as const;

/** What is to be counted. */
export interface CountRequest {
  matches: MessageTest;
  /** Undefined for all. */
  mailbox: string | undefined;
  /** Bytes per second, 0 for no limit; null for the archive's own. */
  ratePerSecond: number | null;
}

/** Reads a payload. Throws InvalidQuery or InvalidTerms. */
export function readCountRequest(input: JsonObject): CountRequest {
  checkFields(input, "the payload", fields);
  return {
    matches: queryTest(queryOf(input)),
    mailbox: textField(input, "mailbox"),
    ratePerSecond: rateOf(input),
  };
}

/** Everything that readCountRequest would refuse. Whether the mailbox is there, the work finds out. */
export function checkCountRequest(input: JsonObject): FieldViolation[] {
  const { startTime = null, endTime = null } = input;
  const violations = violationsOf({
    "": () => checkFields(input, "the payload", fields),
    mailbox: () => textField(input, "mailbox"),
    terms: () => queryTest(queryOf(input, ["terms"])),
    from: () => queryTest(queryOf(input, ["from"])),
    to: () => queryTest(queryOf(input, ["to"])),
    startTime: () => queryTest(queryOf({ startTime })),
    endTime: () => queryTest(queryOf({ endTime })),
    ratePerSecond: () => rateOf(input),
  });
  if (violations.some(({ field }) => field.endsWith("Time"))) return violations;
  return [...violations, ...violationsOf({ endTime: () => queryTest(queryOf({ startTime, endTime })) })];
}

function queryOf(
  input: JsonObject,
  names: readonly (typeof queryFields)[number][] = queryFields,
): MessageQuery {
  const query: MessageQuery = {};
  for (const name of names) {
    const text = textField(input, name);
    if (text !== undefined) query[name] = text;
  }
  return query;
}

function rateOf({ ratePerSecond = null }: JsonObject): number | null {
  if (ratePerSecond === null) return null;
  if (typeof ratePerSecond === "number" && Number.isSafeInteger(ratePerSecond) && ratePerSecond >= 0) {
    return ratePerSecond;
  }
  throw new InvalidQuery(`ratePerSecond ${JSON.stringify(ratePerSecond)} is not a whole number of bytes`);
}
