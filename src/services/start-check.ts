// What a type's own check says of a start, at the door: its violations become the caller's error, a check that breaks
// becomes ours. Which types have one is the engine's to know; permission and the request's own limits come before.
import { type FieldViolation, RpcError } from "../base/rpc-error.ts";
import type { Engine } from "../engine/engine.ts";
import type { JsonObject } from "../protocol/worker-connection.ts";

/** More are of no use to anybody. */
export const VIOLATIONS_MAX = 50;

/** INVALID_FIELD with all of the violations, at most 50; its message is the first one. Undefined if there are none. */
export function violationsError(violations: readonly FieldViolation[]): RpcError | undefined {
  const [first] = violations;
  if (first === undefined) return undefined;
  return new RpcError(
    "INVALID_FIELD",
    { field: first.field, problem: first.description },
    { fieldViolations: violations.slice(0, VIOLATIONS_MAX) },
  );
}

/**
 * Asks the check that `type` was registered with, if there is one. `whole` is the request's field that is the input,
 * `payload`: paths of violations begin with it, but for `request`, whose fields are the request's own.
 * Throws INVALID_FIELD with its violations, and a plain Error (INTERNAL to the caller) for a check that throws, or that
 * does not answer a list of `{ field, description }`.
 */
export function checkStart(
  engine: Engine,
  type: string,
  input: JsonObject,
  whole: "payload" | "request",
): void {
  const check = engine.startCheck(type);
  if (check === undefined) return;
  const violations = violationsOf(() => check(input), type).map(({ field, description }) => ({
    field: whole === "request" ? field || whole : [whole, field].filter(Boolean).join("."),
    description,
  }));
  const error = violationsError(violations);
  if (error !== undefined) throw error;
}

function violationsOf(ask: () => unknown, type: string): readonly FieldViolation[] {
  let answer: unknown;
  try {
    answer = ask();
  } catch (cause) {
    throw new Error(`the check of operation type ${type} threw`, { cause });
  }
  if (Array.isArray(answer) && answer.every(isViolation)) return answer;
  throw new Error(`the check of operation type ${type} answered no list of field violations`);
}

function isViolation(value: unknown): value is FieldViolation {
  const { field, description } = (value ?? {}) as Partial<FieldViolation>;
  return typeof field === "string" && typeof description === "string";
}
