// RFC 3339 timestamps in filters, with any offset and up to nanoseconds.
import { type Instant, MICROS_PER_SECOND } from "../base/clock.ts";

/** `YYYY-MM-DDTHH:MM:SS`. */
const DATE_TIME_LENGTH = 19;
const NANO_DIGITS_MAX = 9;

/**
 * The instant of a timestamp, or null if it is none. Between two microseconds the instant ends in .5: instants of
 * this age have two spare bits, and every comparison with a whole microsecond comes out right.
 */
export function parseFilterTimestamp(text: string): Instant | null {
  const date = parseDateTime(text.slice(0, DATE_TIME_LENGTH));
  if (date === null) return null;
  let at = DATE_TIME_LENGTH;
  let fraction = "";
  if (text[at] === ".") {
    at++;
    while (isDigit(text[at])) fraction += text[at++];
    if (fraction.length === 0 || fraction.length > NANO_DIGITS_MAX) return null;
  }
  const offsetMinutes = parseOffset(text.slice(at));
  if (offsetMinutes === null) return null;
  const nanos = Number(fraction.padEnd(NANO_DIGITS_MAX, "0"));
  const micros = Math.floor(nanos / 1000) + (nanos % 1000 === 0 ? 0 : 0.5);
  return (date - offsetMinutes * 60) * MICROS_PER_SECOND + micros;
}

function isDigit(char: string | undefined): boolean {
  return char !== undefined && char >= "0" && char <= "9";
}

/** The number written with exactly these digits, or null. */
function digits(text: string, start: number, length: number): number | null {
  for (let at = start; at < start + length; at++) if (!isDigit(text[at])) return null;
  return Number(text.slice(start, start + length));
}

/** Seconds since the epoch, or null. */
function parseDateTime(text: string): number | null {
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  const day = digits(text, 8, 2);
  const hour = digits(text, 11, 2);
  const minute = digits(text, 14, 2);
  const second = digits(text, 17, 2);
  const separators = text[4] === "-" && text[7] === "-" && text[13] === ":" && text[16] === ":";
  if (!separators || (text[10] !== "T" && text[10] !== "t")) return null;
  if (
    year === null ||
    month === null ||
    day === null ||
    hour === null ||
    minute === null ||
    second === null
  ) {
    return null;
  }
  if (year < 1 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return null;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1) return null; // the month has no such day
  date.setUTCHours(hour, minute, second);
  return date.getTime() / 1000;
}

/** Minutes east of UTC, or null. */
function parseOffset(text: string): number | null {
  if (text === "Z" || text === "z") return 0;
  const sign = text[0] === "+" ? 1 : text[0] === "-" ? -1 : 0;
  const hours = digits(text, 1, 2);
  const minutes = digits(text, 4, 2);
  if (sign === 0 || text.length !== 6 || text[3] !== ":" || hours === null || minutes === null) return null;
  return hours > 23 || minutes > 59 ? null : sign * (hours * 60 + minutes);
}
