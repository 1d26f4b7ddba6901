// One text for equal JSON values, for digests: the order of keys does not matter.
import { hash } from "node:crypto";
import type { JsonValue } from "./worker-connection.ts";

/** JSON text with every object's keys sorted. The caller has checked the depth. */
export function canonicalJson(value: JsonValue): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] ?? null)}`);
  return `{${members.join(",")}}`;
}

/** SHA-256 of the canonical text, base64url. */
export function jsonDigest(value: JsonValue): string {
  return hash("sha256", canonicalJson(value), "base64url");
}
