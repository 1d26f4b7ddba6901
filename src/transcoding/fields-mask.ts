// The system parameter `fields`: which part of a JSON reply is wanted. It is applied to the reply; a name
// that the reply does not have selects nothing.
//
//   mask = path { "," path } ;
//   path = name { ( "/" | "." ) name } [ "(" mask ")" ] ;
//   name = "*" | [A-Za-z0-9_@-]+ ;
import type { JsonObject, JsonValue } from "../protocol/worker-connection.ts";
import type { Parsed } from "./parsed.ts";

/** A parsed mask: the names wanted, each whole (null) or in part. `*` stands for every name. */
export type FieldsMask = ReadonlyMap<string, FieldsMask | null>;

type MutableMask = Map<string, MutableMask | null>;

const MASK_LENGTH_MAX = 1024;
const MASK_DEPTH_MAX = 16;

/**
 * Parses `name,error/code`, `operations(name,done),nextPageToken`, `*`. At most 1,024 characters, 16 levels.
 */
export function parseFieldsMask(text: string): Parsed<FieldsMask> {
  if (text.length > MASK_LENGTH_MAX) return { problem: `is longer than ${MASK_LENGTH_MAX} characters` };
  const parser = new MaskParser(text);
  const mask: MutableMask = new Map();
  const isWhole = parser.mask(mask, 0) && parser.atEnd;
  return isWhole
    ? { value: mask }
    : { problem: `is no list of fields, such as name,error/code or operations(name)` };
}

class MaskParser {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.#position === this.#text.length;
  }

  /** Reads paths into `into`; false on an error. */
  mask(into: MutableMask, depth: number): boolean {
    do {
      if (!this.#path(into, depth)) return false;
    } while (this.#accept(","));
    return true;
  }

  #path(into: MutableMask, depth: number): boolean {
    if (depth >= MASK_DEPTH_MAX) return false;
    const name = this.#name();
    if (name === "") return false;
    if (this.#accept("/") || this.#accept(".")) return this.#path(childOf(into, name), depth + 1);
    if (this.#accept("(")) return this.mask(childOf(into, name), depth + 1) && this.#accept(")");
    into.set(name, null);
    return true;
  }

  #name(): string {
    if (this.#accept("*")) return "*";
    const start = this.#position;
    while (!this.atEnd && isNameCode(this.#text.charCodeAt(this.#position))) this.#position++;
    return this.#text.slice(start, this.#position);
  }

  #accept(character: string): boolean {
    if (this.#text[this.#position] !== character) return false;
    this.#position++;
    return true;
  }
}

/** The mask below a name. If the whole is wanted already, what is read goes nowhere. */
function childOf(mask: MutableMask, name: string): MutableMask {
  const child = mask.get(name);
  if (child === null) return new Map();
  if (child) return child;
  const created: MutableMask = new Map();
  mask.set(name, created);
  return created;
}

function isNameCode(code: number): boolean {
  const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
  const isDigit = code >= 0x30 && code <= 0x39;
  // _ @ -
  return isLetter || isDigit || code === 0x5f || code === 0x40 || code === 0x2d;
}

/**
 * The wanted part of a reply. A name selects in each element of an array; names match in camelCase and
 * snake_case.
 */
export function applyFieldsMask(value: JsonValue, mask: FieldsMask): JsonValue {
  if (Array.isArray(value)) return value.map((element) => applyFieldsMask(element, mask));
  if (typeof value !== "object" || value === null) return value;
  const kept: [string, JsonValue][] = [];
  for (const [key, child] of Object.entries(value)) {
    const wanted = wantedOf(mask, key);
    if (wanted === undefined) continue;
    kept.push([key, wanted === null ? child : applyFieldsMask(child, wanted)]);
  }
  return Object.fromEntries(kept) as JsonObject;
}

function wantedOf(mask: FieldsMask, key: string): FieldsMask | null | undefined {
  const exact = mask.get(key);
  if (exact !== undefined) return exact;
  const snake = mask.get(key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
  return snake !== undefined ? snake : mask.get("*");
}
