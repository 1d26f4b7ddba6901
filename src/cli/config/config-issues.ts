// zod's issues in the words of this house: the value, what is wrong with it, and what was expected.
import { z } from "zod";
import { shown } from "../../services/service-problem.ts";
import type { ConfigProblem } from "./config-error.ts";

/** What zod calls the types, as people call them. */
const words: Readonly<Record<string, string>> = {
  string: "text",
  number: "number",
  int: "whole number",
  boolean: "true or false",
  array: "list",
  object: "table",
  record: "table",
};

/** For `safeParse(data, { error })`: the message of an issue that its schema has no message for. */
export function issueText(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined
        ? `is missing; expected ${wordOf(issue.expected)}`
        : `${shown(issue.input)} is no ${wordOf(issue.expected)}`;
    case "invalid_value":
      return `${shown(issue.input)} is not one of ${issue.values.join(", ")}`;
    case "too_small":
      return typeof issue.input === "number"
        ? `${issue.input} is too small; expected at least ${issue.minimum}`
        : `is empty; expected at least ${issue.minimum}`;
    case "too_big":
      return `${shown(issue.input)} is too large; expected at most ${issue.maximum}`;
    default:
      return undefined;
  }
}

function wordOf(type: string): string {
  return words[type] ?? type;
}

/** The problems of zod's error. Of unknown keys each is a problem of its own. */
export function problemsOf(error: z.ZodError, schema: z.ZodType): ConfigProblem[] {
  return error.issues.flatMap((issue): ConfigProblem[] => {
    const path = issue.path.map((step) => (typeof step === "number" ? step : String(step)));
    if (issue.code !== "unrecognized_keys") return [{ path, problem: issue.message }];
    const known = knownKeys(schema, path).join(", ");
    return issue.keys.map((key) => ({
      path: [...path, key],
      problem: `is not known here; expected ${known || "no keys"}`,
      isKey: true,
    }));
  });
}

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** The keys that a table of the schema has, by the table's path; a schema is asked as JSON Schema, which shows its keys. */
function knownKeys(schema: z.ZodType, path: readonly (string | number)[]): string[] {
  let places: JsonSchema[] = tablesOf(z.toJSONSchema(schema, { io: "input" }));
  for (const step of path) places = places.flatMap((place) => tablesOf(below(place, step)));
  const keys = places.flatMap(({ properties = {}, propertyNames }) => [
    ...Object.keys(properties),
    ...(typeof propertyNames === "object" ? (propertyNames.enum ?? []).map(String) : []),
  ]);
  return [...new Set(keys)];
}

function below({ properties, additionalProperties, items }: JsonSchema, step: string | number): unknown {
  return typeof step === "number" ? items : (properties?.[step] ?? additionalProperties);
}

/** A schema, or its alternatives. */
function tablesOf(schema: unknown): JsonSchema[] {
  if (typeof schema !== "object" || schema === null) return [];
  const { anyOf } = schema as JsonSchema;
  return anyOf ? anyOf.flatMap(tablesOf) : [schema as JsonSchema];
}
