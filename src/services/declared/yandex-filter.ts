// The filters of Yandex's ListOperations, turned into those of the store (AIP-160): `done = false`,
// `created_by = 'ada' AND created_at >= "2026-01-01T00:00:00Z"`.
import { fromJson } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { RpcError } from "../../base/rpc-error.ts";

const FILTER_LENGTH_MAX = 1000;
const TERMS_MAX = 10;

/** A comparison as it is written: field, operator, value. */
const TERM = /\s*([a-zA-Z_]+)\s*(<=|>=|!=|=|<|>)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'()]+)\s*/y;
const AND = /AND(?=\s|$)/iy;

/** What each field becomes, and the operators that it takes. */
const fields: Readonly<
  Record<string, { name: string; operators: readonly string[]; kind: "bool" | "text" | "time" }>
> = {
  done: { name: "done", operators: ["=", "!="], kind: "bool" },
  created_by: { name: "created_by", operators: ["=", "!="], kind: "text" },
  created_at: { name: "create_time", operators: ["=", "!=", "<", "<=", ">", ">="], kind: "time" },
  modified_at: { name: "update_time", operators: ["=", "!=", "<", "<=", ">", ">="], kind: "time" },
};

const FIELD_NAMES = Object.keys(fields).join(", ");

/**
 * Translates a filter; `""` stays `""`. Terms are joined by AND; values may be quoted. Throws INVALID_FILTER with the
 * column (from 1) for anything else, and for `description`, which is not indexed.
 */
export function translateYandexFilter(filter: string): string {
  if (filter.length > FILTER_LENGTH_MAX) {
    throw invalid(
      FILTER_LENGTH_MAX,
      `it is ${filter.length} characters; at most ${FILTER_LENGTH_MAX} are taken`,
    );
  }
  if (filter.trim() === "") return "";
  const terms: string[] = [];
  for (let at = 0; ; ) {
    TERM.lastIndex = at;
    const term = TERM.exec(filter);
    if (term === null) throw invalid(at + 1, "a term such as done=false is expected");
    if (terms.length === TERMS_MAX) throw invalid(at + 1, `it has more than ${TERMS_MAX} terms`);
    terms.push(translateTerm(term[1] ?? "", term[2] ?? "", term[3] ?? "", at + 1));
    at += term[0].length;
    if (at >= filter.length) return terms.join(" AND ");
    AND.lastIndex = at;
    if (!AND.test(filter)) throw invalid(at + 1, "AND is expected between two terms");
    at += "AND".length;
  }
}

/** A text as a value of the store's filters: quoted, and with nothing in it that means more than itself. */
export function quoted(text: string): string {
  return `"${text.replace(/[\\"*]/g, "\\$&")}"`;
}

function translateTerm(name: string, operator: string, written: string, column: number): string {
  if (name === "description") throw invalid(column, `description cannot be filtered by; ${FIELD_NAMES} can`);
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (field === undefined) throw invalid(column, `the field ${name} is unknown; there are ${FIELD_NAMES}`);
  if (!field.operators.includes(operator)) {
    throw invalid(column, `${name} takes ${field.operators.join(" ")}, not ${operator}`);
  }
  const value = /^["']/.test(written) ? written.slice(1, -1).replace(/\\(.)/gs, "$1") : written;
  if (field.kind === "bool" && value !== "true" && value !== "false") {
    throw invalid(column, `${name} is true or false`);
  }
  if (field.kind === "time" && !isTimestamp(value)) {
    throw invalid(column, `${name} is an RFC 3339 timestamp, such as 2026-11-22T08:30:00Z`);
  }
  return `${field.name} ${operator} ${field.kind === "bool" ? value : quoted(value)}`;
}

function isTimestamp(text: string): boolean {
  try {
    fromJson(TimestampSchema, text);
    return true;
  } catch {
    return false;
  }
}

function invalid(column: number, problem: string): RpcError {
  const fieldViolations = [{ field: "filter", description: problem }];
  return new RpcError("INVALID_FILTER", { column, problem }, { fieldViolations });
}
