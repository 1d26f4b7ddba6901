// A check of many fields at once: each is read, and what a reading throws of a payload is said of its field.
import type { FieldViolation } from "belayd/worker";
import { InvalidQuery } from "./message-query.ts";
import { InvalidTerms } from "./search-terms.ts";

/** Readings by the paths of their fields; `""` is the whole. Each throws InvalidQuery or InvalidTerms, or does not. */
export type FieldReadings = Readonly<Record<string, () => unknown>>;

/** One violation for each reading that throws, in their order. Any other error is thrown on. */
export function violationsOf(readings: FieldReadings): FieldViolation[] {
  return Object.entries(readings).flatMap(([field, read]) => {
    try {
      read();
      return [];
    } catch (error) {
      if (!(error instanceof InvalidQuery || error instanceof InvalidTerms)) throw error;
      return [{ field, description: error.message }];
    }
  });
}
