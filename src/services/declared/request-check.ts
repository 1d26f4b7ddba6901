// What a request's descriptor demands of it: google.api.field_behavior REQUIRED, and the options of
// yandex.cloud.validation. Compiled once for each method; a rule that cannot be read is an error then.
import { type DescField, type DescMessage, type DescOneof, getOption, ScalarType } from "@bufbuild/protobuf";
import type { ReflectList, ReflectMap, ReflectMessage } from "@bufbuild/protobuf/reflect";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import type { FieldViolation } from "../../base/rpc-error.ts";
import { FieldBehavior, field_behavior } from "../../protocol/gen/google/api/field_behavior_pb.ts";
import {
  bytes,
  exactly_one,
  length,
  map_key,
  pattern,
  required,
  size,
  unique,
  value,
} from "../../protocol/gen/yandex/cloud/validation_pb.ts";
import { VIOLATIONS_MAX, violationsError } from "../start-check.ts";
import { StartMethodError } from "./start-methods.ts";
import { type InRange, parseRange } from "./value-range.ts";

/** Throws INVALID_FIELD with every violation found, at most 50. */
export type RequestCheck = (request: ReflectMessage) => void;

/**
 * Checked are: fields of the request that are REQUIRED (AIP-203: those of messages within it mean something only where
 * the message does); and at any depth Yandex's required, length, bytes, pattern, value (of numbers), size, unique,
 * map_key (length, pattern) and exactly_one. A field without presence that has its default is taken as not given: only
 * `required` finds fault with it, and with a number or a bool nothing does, since 0 and false are values.
 * Throws a StartMethodError for a range or a pattern that cannot be read.
 */
export function requestCheckOf(desc: DescMessage): RequestCheck {
  const rules = [...requiredRules(desc), ...rulesOf(desc)];
  return (request) => {
    const violations: FieldViolation[] = [];
    for (const rule of rules) rule(request, "", violations);
    const error = violationsError(violations);
    if (error !== undefined) throw error;
  };
}

/** Finds what a message does against one rule. `prefix` is the path of the message, with its dot. */
type Rule = (message: ReflectMessage, prefix: string, violations: FieldViolation[]) => void;

function violate(violations: FieldViolation[], field: string, description: string): void {
  if (violations.length < VIOLATIONS_MAX) violations.push({ field, description });
}

function requiredRules(desc: DescMessage): Rule[] {
  return desc.fields
    .filter((field) => getOption(field, field_behavior).includes(FieldBehavior.REQUIRED))
    .flatMap(requiredRule);
}

/** Of a field without presence, only text, bytes and enums can be told to be missing. */
function requiredRule(field: DescField): Rule[] {
  const isTold =
    field.oneof === undefined &&
    (field.presence !== FeatureSet_FieldPresence.IMPLICIT ||
      field.fieldKind !== "scalar" ||
      field.scalar === ScalarType.STRING ||
      field.scalar === ScalarType.BYTES);
  if (!isTold) return [];
  return [
    (message, prefix, violations) => {
      if (!message.isSet(field)) violate(violations, `${prefix}${field.name}`, "is required");
    },
  ];
}

const ruleCache = new WeakMap<DescMessage, readonly Rule[]>();

/** The rules of a message's own fields, and of those within. */
function rulesOf(desc: DescMessage): readonly Rule[] {
  const cached = ruleCache.get(desc);
  if (cached) return cached;
  const rules: Rule[] = [];
  // Before the fields: a message may hold itself.
  ruleCache.set(desc, rules);
  for (const field of desc.fields) {
    if (getOption(field, required)) rules.push(...requiredRule(field));
    rules.push(...fieldRules(field));
  }
  for (const oneof of desc.oneofs) rules.push(...oneofRules(oneof));
  return rules;
}

function oneofRules(oneof: DescOneof): Rule[] {
  if (!getOption(oneof, exactly_one)) return [];
  const names = oneof.fields.map(({ name }) => name).join(", ");
  return [
    (message, prefix, violations) => {
      if (message.oneofCase(oneof) !== undefined) return;
      violate(violations, `${prefix}${oneof.name}`, `one of ${names} is required`);
    },
  ];
}

/** A check of one value: what is wrong with it, or undefined. */
type ValueCheck = (value: unknown) => string | undefined;

function fieldRules(field: DescField): Rule[] {
  switch (field.fieldKind) {
    case "list":
      return listRules(field);
    case "map":
      return mapRules(field);
    case "message":
      return nestedRule(field, field.message, (found, path, visit) => visit(found as ReflectMessage, path));
    default: {
      const checks = valueChecks(field);
      return checks.length === 0
        ? []
        : [valuesRule(field, checks, (found, path, check) => check(found, path))];
    }
  }
}

function listRules(field: DescField & { fieldKind: "list" }): Rule[] {
  const rules = sizeRules(field, (found) => (found as ReflectList).size);
  if (getOption(field, unique)) rules.push(uniqueRule(field));
  const checks = valueChecks(field);
  const each = <T>(found: unknown, path: string, visit: (element: T, path: string) => void): void => {
    let index = 0;
    for (const element of found as ReflectList) visit(element as T, `${path}[${index++}]`);
  };
  if (checks.length > 0) rules.push(valuesRule(field, checks, each));
  if (field.message !== undefined) rules.push(...nestedRule(field, field.message, each));
  return rules;
}

function mapRules(field: DescField & { fieldKind: "map" }): Rule[] {
  const rules = sizeRules(field, (found) => (found as ReflectMap).size);
  const key = getOption(field, map_key);
  const keyChecks = [
    ...(key.length === "" ? [] : [lengthCheck(rangeOf(field, "map_key.length", key.length), key.length)]),
    ...(key.pattern === "" ? [] : [patternCheck(field, key.pattern)]),
  ];
  if (keyChecks.length > 0) {
    rules.push(
      valuesRule(field, keyChecks, (found, path, check) => {
        for (const name of (found as ReflectMap).keys()) check(name, `${path} key ${JSON.stringify(name)}`);
      }),
    );
  }
  const each = <T>(found: unknown, path: string, visit: (element: T, path: string) => void): void => {
    for (const [name, element] of found as ReflectMap)
      visit(element as T, `${path}[${JSON.stringify(name)}]`);
  };
  const checks = valueChecks(field);
  if (checks.length > 0) rules.push(valuesRule(field, checks, each));
  if (field.message !== undefined) rules.push(...nestedRule(field, field.message, each));
  return rules;
}

/** Calls the visitor with each value of a field, and its path. */
type Each<T> = (found: unknown, path: string, visit: (value: T, path: string) => void) => void;

function valuesRule(field: DescField, checks: readonly ValueCheck[], each: Each<unknown>): Rule {
  return (message, prefix, violations) => {
    if (!message.isSet(field)) return;
    each(message.get(field), `${prefix}${field.name}`, (found, path) => {
      for (const check of checks) {
        const problem = check(found);
        if (problem !== undefined) violate(violations, path, problem);
      }
    });
  };
}

function nestedRule(field: DescField, desc: DescMessage, each: Each<ReflectMessage>): Rule[] {
  // Compiled now, so that a broken rule is found at start; read at the call, since the rules of a message that holds
  // itself are not all there yet.
  rulesOf(desc);
  return [
    (message, prefix, violations) => {
      const rules = rulesOf(desc);
      if (rules.length === 0 || !message.isSet(field)) return;
      each(message.get(field) as ReflectMessage, `${prefix}${field.name}`, (inner, path) => {
        for (const rule of rules) rule(inner, `${path}.`, violations);
      });
    },
  ];
}

function sizeRules(field: DescField, count: (found: unknown) => number): Rule[] {
  const text = getOption(field, size);
  if (text === "") return [];
  const inRange = rangeOf(field, "size", text);
  return [
    valuesRule(
      field,
      [
        (found) => {
          const elements = count(found);
          return inRange(elements) ? undefined : `has ${elements} elements; it takes ${text}`;
        },
      ],
      (found, path, check) => check(found, path),
    ),
  ];
}

function uniqueRule(field: DescField): Rule {
  return (message, prefix, violations) => {
    const elements = [...(message.get(field) as ReflectList)];
    const isUnique = new Set(elements).size === elements.length;
    if (!isUnique) violate(violations, `${prefix}${field.name}`, "has an element twice");
  };
}

/** The checks of a scalar field's value, or of a list's or map's elements. */
function valueChecks(field: DescField): ValueCheck[] {
  const checks: ValueCheck[] = [];
  const { scalar } = field;
  const lengthText = getOption(field, length);
  const bytesText = getOption(field, bytes);
  const patternText = getOption(field, pattern);
  const valueText = getOption(field, value);
  if (scalar === ScalarType.STRING) {
    if (lengthText !== "") checks.push(lengthCheck(rangeOf(field, "length", lengthText), lengthText));
    if (patternText !== "") checks.push(patternCheck(field, patternText));
  } else if (scalar === ScalarType.BYTES) {
    if (bytesText !== "") checks.push(bytesCheck(rangeOf(field, "bytes", bytesText), bytesText));
  } else if (scalar !== undefined && scalar !== ScalarType.BOOL && valueText !== "") {
    checks.push(numberCheck(rangeOf(field, "value", valueText), valueText));
  }
  return checks;
}

function lengthCheck(inRange: InRange, text: string): ValueCheck {
  return (found) => {
    const characters = [...String(found)].length;
    return inRange(characters) ? undefined : `is ${characters} characters long; it takes ${text}`;
  };
}

function bytesCheck(inRange: InRange, text: string): ValueCheck {
  return (found) => {
    const count = (found as Uint8Array).length;
    return inRange(count) ? undefined : `is ${count} bytes long; it takes ${text}`;
  };
}

function numberCheck(inRange: InRange, text: string): ValueCheck {
  return (found) => {
    const number = typeof found === "string" ? BigInt(found) : (found as number | bigint);
    return inRange(number) ? undefined : `is ${number}; it takes ${text}`;
  };
}

function patternCheck(field: DescField, text: string): ValueCheck {
  const expression = expressionOf(text);
  if (expression === null) throw unreadable(field, "pattern", text, "a regular expression of JavaScript");
  return (found) => (expression.test(String(found)) ? undefined : `is not of the form ${text}`);
}

/** The whole text must match. Escapes that the `u` flag refuses (`\@`) are common in patterns written for RE2. */
function expressionOf(text: string): RegExp | null {
  for (const flags of ["u", ""]) {
    try {
      return new RegExp(`^(?:${text})$`, flags);
    } catch {
      // The next flags, or none.
    }
  }
  return null;
}

function rangeOf(field: DescField, option: string, text: string): InRange {
  const range = parseRange(text);
  if (range === null) throw unreadable(field, option, text, 'a range such as "<=50" or "3-63"');
  return range;
}

function unreadable(field: DescField, option: string, text: string, expected: string): StartMethodError {
  const { parent } = field;
  return new StartMethodError(
    `${parent.file.proto.name}: ${parent.typeName}.${field.name}: ${option} is ${JSON.stringify(text)}; expected ${expected}`,
  );
}
