// What a filter can be about: the fields of an operation, the types of their values, and the typed tree.
import type { Instant } from "../base/clock.ts";
import { RpcError } from "../base/rpc-error.ts";
import { type OperationState, operationStates } from "../engine/operation.ts";
import type { Comparator, FilterValue } from "./list-filter-scanner.ts";
import { parseFilterTimestamp } from "./list-filter-timestamp.ts";

export type FilterOperator = Exclude<Comparator, ":">;

/** Text to compare with; open ends come from wildcards. */
export interface TextPattern {
  text: string;
  openStart: boolean;
  openEnd: boolean;
}

/** Fields that are text; "" where an operation has none. `worker` is the session that has it, by lease or held. */
export type TextField =
  | "name"
  | "type"
  | "created_by"
  | "concurrency_key"
  | "supersede_key"
  | "rerun_of"
  | "worker"
  | "cancel_cause";

/** A filter as a tree: what a store compiles. */
export type FilterNode =
  | { kind: "and" | "or"; nodes: readonly FilterNode[] }
  | { kind: "not"; node: FilterNode }
  | { kind: "text"; field: TextField; operator: FilterOperator; pattern: TextPattern }
  | { kind: "priority"; operator: FilterOperator; value: number }
  /** An operation of this name is a parent, detached or not; null: there is one. */
  | { kind: "parents"; name: string | null }
  | { kind: "held"; value: boolean }
  | { kind: "cancelled" }
  | { kind: "done"; value: boolean }
  | { kind: "state"; state: OperationState }
  /** `instant` ends in .5 where the value lies between two microseconds: no stored instant is equal to it. */
  | { kind: "time"; field: "create_time" | "update_time"; operator: FilterOperator; instant: Instant }
  /** The label is there and compares; one that is missing never matches, not even for `!=`. */
  | { kind: "label"; key: string; operator: FilterOperator; pattern: TextPattern }
  | { kind: "hasLabel"; key: string | null }
  /** Presence of a field that always has a value. */
  | { kind: "always" };

/** INVALID_FILTER at a column, from 1. */
export function invalidFilter(column: number, problem: string): RpcError {
  const fieldViolations = [{ field: "filter", description: problem }];
  return new RpcError("INVALID_FILTER", { column, problem }, { fieldViolations });
}

export interface Restriction {
  path: readonly string[];
  column: number;
  operator: Comparator;
  value: FilterValue;
}

type FieldParser = (restriction: Restriction) => FilterNode;

const fields: ReadonlyMap<string, FieldParser> = new Map<string, FieldParser>([
  ["name", (given) => textField("name", given)],
  ["type", (given) => textField("type", given)],
  ["created_by", (given) => textField("created_by", given)],
  ["createdBy", (given) => textField("created_by", given)],
  ["create_time", (given) => timeField("create_time", given)],
  ["createTime", (given) => timeField("create_time", given)],
  ["update_time", (given) => timeField("update_time", given)],
  ["updateTime", (given) => timeField("update_time", given)],
  ["done", doneField],
  ["state", stateField],
  ["labels", labelField],
  ["parents", parentsField],
  ["priority", priorityField],
  ["concurrency_key", (given) => textField("concurrency_key", given)],
  ["concurrencyKey", (given) => textField("concurrency_key", given)],
  ["supersede_key", (given) => textField("supersede_key", given)],
  ["supersedeKey", (given) => textField("supersede_key", given)],
  ["rerun_of", (given) => textField("rerun_of", given)],
  ["rerunOf", (given) => textField("rerun_of", given)],
  ["worker", (given) => textField("worker", given)],
  ["session", (given) => textField("worker", given)],
  ["cancel", cancelField],
  ["cancellation", cancelField],
  ["held", heldField],
]);

const FIELD_NAMES =
  "name, done, type, state, labels, create_time, update_time, created_by, parents, priority, concurrency_key, supersede_key, rerun_of, worker, cancel.cause, held";

/** Those that have fields of their own. */
const MESSAGE_FIELDS: ReadonlySet<string> = new Set(["labels", "cancel", "cancellation"]);

/** Gives a restriction its type; throws INVALID_FILTER for an unknown field, a wrong operator or a wrong value. */
export function restriction(given: Restriction): FilterNode {
  const [name = "", ...rest] = given.path;
  const parse = fields.get(name);
  if (!parse) throw invalidFilter(given.column, `the field ${name} is unknown; there are ${FIELD_NAMES}`);
  if (rest.length > 0 && !MESSAGE_FIELDS.has(name))
    throw invalidFilter(given.column, `${name} has no fields`);
  return parse(given);
}

/** `field:*`: the field has a value. */
function isPresence({ operator, value }: Restriction): boolean {
  return operator === ":" && value.text === "" && value.openStart;
}

function textField(field: TextField, given: Restriction): FilterNode {
  if (isPresence(given)) {
    return { kind: "text", field, operator: "!=", pattern: { text: "", openStart: false, openEnd: false } };
  }
  return { kind: "text", field, ...textComparison(field, given) };
}

function textComparison(
  field: string,
  { operator, value }: Restriction,
): { operator: FilterOperator; pattern: TextPattern } {
  const { text, openStart, openEnd, column } = value;
  const compared = operator === ":" ? "=" : operator;
  if ((openStart || openEnd) && compared !== "=" && compared !== "!=") {
    throw invalidFilter(column, `${field} takes a wildcard only with = and !=`);
  }
  return { operator: compared, pattern: { text, openStart, openEnd } };
}

/** The value as it was written, for fields where a star is no wildcard. */
function exactText(field: string, { value }: Restriction): string {
  if (value.openStart || value.openEnd) throw invalidFilter(value.column, `${field} takes no wildcard`);
  return value.text;
}

/** Equality of a field with few values; `!=` answers its opposite. */
function equality(field: string, { operator, column }: Restriction, node: FilterNode): FilterNode {
  if (operator === "=" || operator === ":") return node;
  if (operator === "!=") return { kind: "not", node };
  throw invalidFilter(column, `${field} takes = and !=`);
}

function doneField(given: Restriction): FilterNode {
  return { kind: "done", value: booleanValue("done", given) };
}

function heldField(given: Restriction): FilterNode {
  return { kind: "held", value: booleanValue("held", given) };
}

/** What a boolean field must be; it has a value where it is true. */
function booleanValue(field: string, given: Restriction): boolean {
  if (isPresence(given)) return true;
  const text = exactText(field, given);
  if (text !== "true" && text !== "false")
    throw invalidFilter(given.value.column, `${field} is true or false`);
  const isNot = given.operator === "!=";
  equality(field, given, { kind: "always" });
  return (text === "true") !== isNot;
}

function priorityField(given: Restriction): FilterNode {
  const { operator, value } = given;
  if (isPresence(given)) return { kind: "priority", operator: "!=", value: 0 };
  const text = exactText("priority", given);
  const number = Number(text);
  if (text.trim() === "" || !Number.isInteger(number))
    throw invalidFilter(value.column, "priority is a whole number");
  return { kind: "priority", operator: operator === ":" ? "=" : operator, value: number };
}

/** `parents:NAME`, `parents:*`. */
function parentsField(given: Restriction): FilterNode {
  if (given.operator !== ":")
    throw invalidFilter(given.column, "parents takes only the has operator: parents:operations/...");
  return { kind: "parents", name: isPresence(given) ? null : exactText("parents", given) };
}

/** `cancel:*`, and of `cancel.cause` what `name` takes; an operation without a cancel never matches, not even `!=`. */
function cancelField(given: Restriction): FilterNode {
  const [name = "", field, ...rest] = given.path;
  if (field === undefined && isPresence(given)) return { kind: "cancelled" };
  if (field !== "cause" || rest.length > 0)
    throw invalidFilter(given.column, `of ${name} there is ${name}.cause`);
  if (isPresence(given)) return { kind: "cancelled" };
  const node: FilterNode = { kind: "text", field: "cancel_cause", ...textComparison(`${name}.cause`, given) };
  return { kind: "and", nodes: [{ kind: "cancelled" }, node] };
}

function stateField(given: Restriction): FilterNode {
  if (isPresence(given)) return { kind: "always" };
  const text = exactText("state", given);
  const state = operationStates.find((known) => known === text);
  if (!state) throw invalidFilter(given.value.column, `state is one of ${operationStates.join(", ")}`);
  return equality("state", given, { kind: "state", state });
}

function timeField(field: "create_time" | "update_time", given: Restriction): FilterNode {
  if (isPresence(given)) return { kind: "always" };
  const instant = parseFilterTimestamp(exactText(field, given));
  if (instant === null) {
    throw invalidFilter(
      given.value.column,
      `${field} is an RFC 3339 timestamp, such as 2026-11-22T08:30:00Z`,
    );
  }
  return { kind: "time", field, operator: given.operator === ":" ? "=" : given.operator, instant };
}

/** `labels:key`, `labels.key:*`, `labels.key:value`, `labels.key = value`. */
function labelField(given: Restriction): FilterNode {
  const [, key, ...rest] = given.path;
  if (rest.length > 0)
    throw invalidFilter(given.column, 'a label\'s key with dots must be quoted: labels."a.b"');
  if (key !== undefined) {
    if (isPresence(given)) return { kind: "hasLabel", key };
    return { kind: "label", key, ...textComparison(`labels.${key}`, given) };
  }
  if (given.operator !== ":")
    throw invalidFilter(given.column, "labels takes only the has operator: labels:key");
  if (isPresence(given)) return { kind: "hasLabel", key: null };
  return { kind: "hasLabel", key: exactText("labels", given) };
}
