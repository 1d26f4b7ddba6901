// The path of a request target: split while still escaped, and unescaped once, segment by segment. Everything
// that two programs could read differently is refused, so that a proxy's view of a path is ours.
import { RpcError } from "../base/rpc-error.ts";

/** A request target taken apart, still escaped. */
export interface RawTarget {
  path: string;
  /** Without its leading slash: `/v1/operations/x` has three. */
  segments: readonly string[];
  /** Without the question mark; "" for none. */
  query: string;
}

/**
 * Splits a request target (`/v1/operations/x:cancel?$alt=json`) and checks its path. Throws INVALID_PATH for
 * a target that is no path, and for paths with empty, `.` or `..` segments, `;`, a backslash, control
 * characters, broken escapes or bytes that are no UTF-8; escaped ones too (`%2e%2e`, `%5C`, `%00`). A lone
 * trailing `?` is fine.
 */
export function splitTarget(target: string): RawTarget {
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? "" : target.slice(mark + 1);
  return { path, segments: splitPath(path), query };
}

function splitPath(path: string): string[] {
  if (path.charCodeAt(0) !== 0x2f) throw invalidPath("it does not start with '/'");
  const segments: string[] = [];
  if (path.length === 1) return segments;
  let start = 1;
  let isEscaped = false;
  for (let i = 1; i <= path.length; i++) {
    const code = i < path.length ? path.charCodeAt(i) : 0x2f;
    if (code === 0x2f) {
      const segment = path.slice(start, i);
      if (segment === "") throw invalidPath("it has an empty segment");
      if (isEscaped) decodeSegment(segment, false);
      else checkDots(segment);
      segments.push(segment);
      start = i + 1;
      isEscaped = false;
    } else if (code === 0x25) isEscaped = true;
    else if (refusedCodes[code] !== 0) throw invalidPath(`it has the character ${shown(path, i)}`);
  }
  return segments;
}

/** By character code: 1 for what may not stand unescaped in a path. Beyond the array, all is refused. */
const refusedCodes: Uint8Array = new Uint8Array(0x7f).map((_, code) =>
  code <= 0x20 || '"#;<>?\\^`{|}'.includes(String.fromCharCode(code)) ? 1 : 0,
);

/**
 * The value of one segment: every %XX decoded, or every one but %2F and %2f, which a variable of several
 * segments leaves as they came (google/api/http.proto). Throws INVALID_PATH as splitTarget does.
 */
export function decodeSegment(segment: string, keepSlashes: boolean): string {
  if (!segment.includes("%")) return segment;
  // No byte of a longer UTF-8 sequence is 0x2F, so cutting at %2F cuts no character.
  const text = keepSlashes
    ? segment
        .split(/(%2f)/i)
        .map((part, i) => (i % 2 === 1 ? part : decodeEscapes(part)))
        .join("")
    : decodeEscapes(segment);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0x5c) {
      throw invalidPath(`it has the escaped character ${shown(text, i)}`);
    }
  }
  checkDots(text);
  if (text.includes("/")) text.split("/").forEach(checkDots);
  return text;
}

function decodeEscapes(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidPath("it has a broken escape, or one that is no UTF-8");
  }
}

/**
 * What is left of a segment when the verb is cut off: `..:cancel` leaves `..`. Throws as splitTarget does.
 */
export function checkSegment(segment: string): void {
  if (segment === "") throw invalidPath("it has an empty segment");
  checkDots(decodeSegment(segment, false));
}

function checkDots(segment: string): void {
  if (segment === "." || segment === "..") throw invalidPath(`it has a segment '${segment}'`);
}

function shown(text: string, at: number): string {
  const code = text.codePointAt(at) as number;
  const isPrintable = code > 0x20 && code < 0x7f;
  return isPrintable
    ? `'${String.fromCodePoint(code)}'`
    : `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** An INVALID_PATH error. */
export function invalidPath(problem: string): RpcError {
  return new RpcError("INVALID_PATH", { problem });
}
