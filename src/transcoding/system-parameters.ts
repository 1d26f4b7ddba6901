// The query parameters that belong to the HTTP mapping and not to a method
// (cloud.google.com/apis/docs/system-parameters).
import type { DescMessage } from "@bufbuild/protobuf";
import { findField } from "./field-path.ts";
import { type FieldsMask, parseFieldsMask } from "./fields-mask.ts";
import { invalidQuery, type QueryParam } from "./query-params.ts";

/** What the system parameters of a request ask for. */
export interface SystemParameters {
  /** alt=json;enum-encoding=int: enums as numbers. */
  enumsAsIntegers: boolean;
  /** Default false: compact. */
  prettyPrint: boolean;
  /** The part of the reply that is wanted, or null for all. */
  fields: FieldsMask | null;
  /** An API key; never logged. */
  apiKey: string | null;
  /** $apiVersion, as it came. */
  apiVersion: string | null;
}

/** What a request without any asks for. */
export const defaultSystemParameters: SystemParameters = {
  enumsAsIntegers: false,
  prettyPrint: false,
  fields: null,
  apiKey: null,
  apiVersion: null,
};

type Reader = (system: SystemParameters, value: string, name: string) => void;

const ignore: Reader = () => {};
const refuse =
  (problem: string): Reader =>
  (_, __, name) => {
    throw invalidQuery(name, problem);
  };
const refuseToken = refuse("is refused: tokens go in the Authorization header");
const refuseCallback = refuse("is refused: replies are never scripts");

/** By name without the `$`. Each may also come with it, `$` itself may come as %24. */
const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["alt", readAlt],
  ["prettyPrint", readPrettyPrint],
  ["fields", readFields],
  ["key", readKey],
  ["callback", refuseCallback],
  ["access_token", refuseToken],
  ["oauth_token", refuseToken],
  ["bearer_token", refuseToken],
  ["quotaUser", ignore],
  ["userIp", ignore],
  ["uploadType", ignore],
  ["upload_protocol", ignore],
]);

/** Only with the `$`. */
const dollarReaders: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["$.xgafv", ignore],
  ["$ct", ignore],
  ["$apiVersion", readApiVersion],
  ["$httpMethod", refuse("is refused: send the method, or X-HTTP-Method-Override on a POST")],
]);

/**
 * Parts the system parameters from those of the method. A name without `$` is the method's if its request has
 * such a field. Throws INVALID_QUERY_PARAMETER: alt other than json, callback, tokens, a broken fields, one
 * given twice.
 */
export function extractSystemParameters(
  params: readonly QueryParam[],
  input: DescMessage,
): { system: SystemParameters; rest: readonly QueryParam[] } {
  if (params.length === 0) return { system: defaultSystemParameters, rest: params };
  const system = { ...defaultSystemParameters };
  const rest: QueryParam[] = [];
  const seen = new Set<Reader>();
  for (const param of params) {
    const reader = readerOf(param.name, input);
    if (!reader) {
      rest.push(param);
      continue;
    }
    if (reader !== ignore && seen.has(reader)) throw invalidQuery(param.name, "is given more than once");
    seen.add(reader);
    reader(system, param.value, param.name);
  }
  return { system, rest };
}

function readerOf(name: string, input: DescMessage): Reader | undefined {
  if (name.startsWith("$")) return dollarReaders.get(name) ?? readers.get(name.slice(1));
  const reader = readers.get(name);
  return reader && !findField(input, name) ? reader : undefined;
}

function readAlt(system: SystemParameters, value: string, name: string): void {
  if (value === "json;enum-encoding=int") system.enumsAsIntegers = true;
  else if (value !== "json") throw invalidQuery(name, "takes only json and json;enum-encoding=int");
}

function readPrettyPrint(system: SystemParameters, value: string, name: string): void {
  if (value !== "true" && value !== "false") throw invalidQuery(name, "is neither true nor false");
  system.prettyPrint = value === "true";
}

function readKey(system: SystemParameters, value: string): void {
  system.apiKey = value;
}

function readApiVersion(system: SystemParameters, value: string): void {
  system.apiVersion = value;
}

function readFields(system: SystemParameters, value: string, name: string): void {
  const parsed = parseFieldsMask(value);
  if ("problem" in parsed) throw invalidQuery(name, parsed.problem);
  system.fields = parsed.value;
}
