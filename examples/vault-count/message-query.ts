// Reads the parts that both payloads share: terms, people, times. Throws InvalidQuery for what it cannot take.
import type { JsonObject, JsonValue } from "belayd/worker";
import { fieldTest, type MessageTest, parseTerms } from "./search-terms.ts";

/** A payload that cannot be taken; the operation fails with google.rpc.Code.INVALID_ARGUMENT. */
export class InvalidQuery extends Error {
  override name = "InvalidQuery";
  readonly code = 3;
}

/** What a message must be, all of it. */
export interface MessageQuery {
  terms?: string;
  from?: string;
  to?: string;
  startTime?: string;
  endTime?: string;
  excludeDrafts?: boolean;
}

/** A test of all that the query says. A message whose date is not known is in no span of time. */
export function queryTest({
  terms = "",
  from,
  to,
  excludeDrafts = false,
  ...span
}: MessageQuery): MessageTest {
  const tests = [parseTerms(terms)];
  if (from !== undefined) tests.push(fieldTest("from", from));
  if (to !== undefined) tests.push(fieldTest("to", to));
  if (excludeDrafts) tests.push(({ labels }) => !/\bdrafts?\b/i.test(labels));
  const { startTime, endTime } = span;
  if (startTime !== undefined || endTime !== undefined) {
    const start = startTime === undefined ? Number.NEGATIVE_INFINITY : instant("startTime", startTime);
    const end = endTime === undefined ? Number.POSITIVE_INFINITY : instant("endTime", endTime);
    if (start >= end) throw new InvalidQuery(`startTime ${startTime} is not before endTime ${endTime}`);
    tests.push(({ date }) => date !== null && date >= start && date < end);
  }
  return (message) => tests.every((test) => test(message));
}

function instant(field: string, text: string): number {
  const isWhole = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d))?$/.test(text);
  const date = isWhole ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(date)) return date;
  throw new InvalidQuery(
    `${field} ${JSON.stringify(text)} is no time such as 2026-03-02T09:15:00Z or 2026-03-02`,
  );
}

/** Refuses fields that are not listed; unset ones do not count. */
export function checkFields(object: JsonObject, where: string, known: readonly string[]): void {
  const unknown = Object.keys(object).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const name = JSON.stringify(unknown);
  throw new InvalidQuery(
    `${where} has a field ${name} that is not served here; served are: ${known.join(", ")}`,
  );
}

/** A text field, or undefined where it is absent, null or "". */
export function textField(object: JsonObject, name: string): string | undefined {
  const value = object[name] ?? "";
  if (typeof value !== "string") throw new InvalidQuery(`${name} ${JSON.stringify(value)} is no text`);
  return value === "" ? undefined : value;
}

/** An object field; empty where it is absent or null. */
export function objectField(object: JsonObject, name: string): JsonObject {
  const value = object[name] ?? {};
  if (!isObject(value)) throw new InvalidQuery(`${name} ${JSON.stringify(value)} is no object`);
  return value;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
