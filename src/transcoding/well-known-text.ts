// Timestamp, Duration, FieldMask and bytes from text, strictly as ProtoJSON writes them. protobuf-es is laxer
// (it takes "1sx" for a Duration and 30 February for a day), so JSON bodies are checked by these as well.
import type { Parsed } from "./parsed.ts";

/** Seconds and nanoseconds, as in Timestamp and Duration. */
export interface SecondsNanos {
  seconds: bigint;
  nanos: number;
}

const TIMESTAMP = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/;
const MIN_SECONDS = -62_135_596_800; // 0001-01-01T00:00:00Z
const MAX_SECONDS = 253_402_300_799; // 9999-12-31T23:59:59Z

/** RFC 3339 with any offset and 0-9 digits of fraction, years 1 to 9999 (timestamp.proto). */
export function parseTimestamp(text: string): Parsed<SecondsNanos> {
  const match = TIMESTAMP.exec(text);
  if (!match) return { problem: "is no RFC 3339 time, such as 2026-01-31T12:00:00Z" };
  const part = (i: number): number => Number(match[i] ?? 0);
  const [year, month, day, hour, minute, second] = [part(1), part(2), part(3), part(4), part(5), part(6)];
  // Not Date.UTC, which takes the years 0 to 99 for 1900 to 1999.
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const isDay = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (!isDay || hour > 23 || minute > 59 || second > 59 || part(9) > 23 || part(10) > 59) {
    return { problem: "is no time that exists" };
  }
  const offset = (part(9) * 60 + part(10)) * 60 * (match[8] === "-" ? -1 : 1);
  const seconds = date.getTime() / 1000 + (hour * 60 + minute) * 60 + second - offset;
  if (seconds < MIN_SECONDS || seconds > MAX_SECONDS) return { problem: "is not within the years 1 to 9999" };
  return { value: { seconds: BigInt(seconds), nanos: nanosOf(match[7]) } };
}

const DURATION = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/;
const DURATION_MAX_SECONDS = 315_576_000_000; // 10,000 years (duration.proto)

/** Seconds with 0-9 digits of fraction and an "s": "1.5s". */
export function parseDuration(text: string): Parsed<SecondsNanos> {
  const match = DURATION.exec(text);
  if (!match) return { problem: "is no duration, such as 1.5s" };
  const sign = match[1] ? -1 : 1;
  const seconds = Number(match[2]);
  const nanos = nanosOf(match[3]);
  if (seconds > DURATION_MAX_SECONDS || (seconds === DURATION_MAX_SECONDS && nanos > 0)) {
    return { problem: "is longer than 10,000 years" };
  }
  return { value: { seconds: BigInt(sign * seconds), nanos: nanos === 0 ? 0 : sign * nanos } };
}

function nanosOf(fraction: string | undefined): number {
  return fraction ? Number(fraction.padEnd(9, "0")) : 0;
}

/** Comma-separated field paths, camelCase (as ProtoJSON writes them) or snake_case; answers snake_case. */
export function parseFieldMask(text: string): Parsed<string[]> {
  const paths = text === "" ? [] : text.split(",");
  for (const path of paths) {
    if (!path.split(".").every((name) => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name))) {
      return { problem: "is no field mask, such as name,cancelPolicy.grace" };
    }
  }
  return { value: paths.map((path) => path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)) };
}

/** Base64 of either alphabet, with or without padding. */
export function parseBase64(text: string): Parsed<Uint8Array> {
  const problem = "is no base64";
  let length = text.length;
  while (length > 0 && text.length - length < 2 && text[length - 1] === "=") length--;
  if (length % 4 === 1 || (length < text.length && text.length % 4 !== 0)) return { problem };
  for (let i = 0; i < length; i++) {
    if (!isBase64Code(text.charCodeAt(i))) return { problem };
  }
  return { value: Uint8Array.from(Buffer.from(text, "base64")) };
}

function isBase64Code(code: number): boolean {
  const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
  const isDigit = code >= 0x30 && code <= 0x39;
  // + / - _
  return isLetter || isDigit || code === 0x2b || code === 0x2f || code === 0x2d || code === 0x5f;
}
