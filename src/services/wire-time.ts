// Instants and milliseconds as the protobuf messages Timestamp and Duration, both ways.
import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema, type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { type Instant, MICROS_PER_MS, MICROS_PER_SECOND } from "../base/clock.ts";
import { invalidField } from "../base/rpc-error.ts";

const NANOS_PER_MICRO = 1000;
const NANOS_PER_MS = 1_000_000;
const MS_PER_SECOND = 1000;

/** Exact: instants are whole microseconds. */
export function timestampOf(instant: Instant): Timestamp {
  const seconds = Math.floor(instant / MICROS_PER_SECOND);
  const nanos = Math.round(instant - seconds * MICROS_PER_SECOND) * NANOS_PER_MICRO;
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos });
}

/** As timestampOf; undefined, which leaves the field out, for null. */
export function optionalTimestampOf(instant: Instant | null): Timestamp | undefined {
  return instant === null ? undefined : timestampOf(instant);
}

/** The instant of a Timestamp; nanoseconds below a microsecond are cut off. */
export function instantOf(timestamp: Timestamp): Instant {
  return Number(timestamp.seconds) * MICROS_PER_SECOND + Math.floor(timestamp.nanos / NANOS_PER_MICRO);
}

/** A span between two instants. */
export function durationBetween(start: Instant, end: Instant): Duration {
  const micros = Math.max(0, end - start);
  const seconds = Math.floor(micros / MICROS_PER_SECOND);
  return create(DurationSchema, {
    seconds: BigInt(seconds),
    nanos: Math.round(micros - seconds * MICROS_PER_SECOND) * NANOS_PER_MICRO,
  });
}

/**
 * The milliseconds of a Duration field that must not be negative, with a fraction.
 * Throws INVALID_FIELD for a negative one, or seconds and nanos out of range or of different signs (duration.proto).
 */
export function millisecondsOf(duration: Duration, field: string): number {
  const { seconds, nanos } = duration;
  if (nanos < -999_999_999 || nanos > 999_999_999 || (seconds > 0n && nanos < 0)) {
    throw invalidField(field, "is no valid google.protobuf.Duration");
  }
  if (seconds < 0n || nanos < 0) throw invalidField(field, "must not be negative");
  return Number(seconds) * MS_PER_SECOND + nanos / NANOS_PER_MS;
}

/** Milliseconds as microseconds of an instant. */
export function microsOf(milliseconds: number): number {
  return Math.round(milliseconds * MICROS_PER_MS);
}
