// A Timestamp in ProtoJSON: RFC 3339 in UTC with 0, 3, 6 or 9 digits of fraction (protobuf.dev, ProtoJSON).
import { type Instant, MICROS_PER_SECOND } from "../base/clock.ts";

const NANOS_PER_MICRO = 1000;
const MS_PER_SECOND = 1000;
const SECONDS_TEXT_LENGTH = "0001-01-01T00:00:00".length;

/** 0001-01-01T00:00:00Z, the first second that timestamp.proto allows. */
export const TIMESTAMP_SECONDS_MIN: number = -62_135_596_800;

/** 9999-12-31T23:59:59Z, the last one. */
export const TIMESTAMP_SECONDS_MAX: number = 253_402_300_799;

/**
 * The text of a Timestamp: whole seconds since the Unix epoch, and nanoseconds from 0 to 999,999,999 that count
 * forward, before 1970 too. Throws a RangeError outside of timestamp.proto's range.
 */
export function timestampText(seconds: number, nanos: number): string {
  if (!(seconds >= TIMESTAMP_SECONDS_MIN && seconds <= TIMESTAMP_SECONDS_MAX && nanos >= 0 && nanos < 1e9)) {
    throw new RangeError(`${seconds} s and ${nanos} ns are no google.protobuf.Timestamp`);
  }
  const text = new Date(seconds * MS_PER_SECOND).toISOString().slice(0, SECONDS_TEXT_LENGTH);
  if (nanos === 0) return `${text}Z`;
  const digits = String(nanos).padStart(9, "0");
  if (nanos % 1_000_000 === 0) return `${text}.${digits.slice(0, 3)}Z`;
  return nanos % NANOS_PER_MICRO === 0 ? `${text}.${digits.slice(0, 6)}Z` : `${text}.${digits}Z`;
}

/** The whole seconds of an instant, and its rest as nanoseconds that count forward. */
export function splitInstant(instant: Instant): { seconds: number; nanos: number } {
  const seconds = Math.floor(instant / MICROS_PER_SECOND);
  return { seconds, nanos: Math.round(instant - seconds * MICROS_PER_SECOND) * NANOS_PER_MICRO };
}

/** The text of an instant: 0, 3 or 6 digits, since instants are whole microseconds. */
export function instantText(instant: Instant): string {
  const { seconds, nanos } = splitInstant(instant);
  return timestampText(seconds, nanos);
}
