// Checks that several methods' requests share. Each names the field, the value and the limit.
import type { Duration } from "@bufbuild/protobuf/wkt";
import { type PolicyLimit, policyLimits } from "../../base/policy-limits.ts";
import { invalidField } from "../../base/rpc-error.ts";
import { ON_BEHALF_OF_LENGTH_MAX } from "../on-behalf-of.ts";
import { millisecondsOf } from "../wire-time.ts";

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;
const REASON_LENGTH_MAX = 1024;
const PAGE_SIZE_MAX = 1000;

/** Throws INVALID_FIELD unless the text is at most `max` characters without control characters. */
export function checkText(field: string, text: string, max: number): void {
  // Code points, not UTF-16 units; counted only when the cheap bound does not settle it.
  if (text.length > max) {
    const length = text.length > 2 * max ? text.length : [...text].length;
    if (length > max) throw invalidField(field, `is ${length} characters long; at most ${max} are taken`);
  }
  if (/\p{Cc}/u.test(text)) throw invalidField(field, "must not hold control characters");
}

/** A reason of 0-1024 characters. Throws INVALID_FIELD. */
export function checkReason(reason: string): void {
  checkText("reason", reason, REASON_LENGTH_MAX);
}

/** 0-256 characters. Throws INVALID_FIELD. */
export function checkOnBehalfOf(onBehalfOf: string): void {
  checkText("on_behalf_of", onBehalfOf, ON_BEHALF_OF_LENGTH_MAX);
}

/** Throws INVALID_FIELD unless it is "" or 1-128 visible ASCII characters. */
export function checkRequestId(requestId: string): void {
  if (requestId === "" || REQUEST_ID.test(requestId)) return;
  throw invalidField("request_id", "must be 1-128 visible ASCII characters");
}

/** A grace period in milliseconds: 0-600 s. Throws INVALID_FIELD. */
export function readGrace(grace: Duration, field: string): number {
  return readDuration(grace, field, policyLimits.graceMs);
}

/** The whole milliseconds of a duration within limits, which are in milliseconds. Throws INVALID_FIELD. */
export function readDuration(duration: Duration, field: string, { min, max }: PolicyLimit): number {
  const given = millisecondsOf(duration, field);
  const ms = Math.ceil(given);
  if (ms > max) throw invalidField(field, `is ${given / 1000} s; at most ${max / 1000} s are taken`);
  if (ms < min) throw invalidField(field, `is ${given / 1000} s; at least ${min / 1000} s are taken`);
  return ms;
}

/** A whole number within limits. Throws INVALID_FIELD. */
export function readNumber(value: number, field: string, { min, max }: PolicyLimit): number {
  if (value >= min && value <= max) return value;
  throw invalidField(field, `is ${value}; it takes ${min} to ${max}`);
}

/** AIP-158: 0 takes the default, more than 1000 is coerced; throws INVALID_FIELD for a negative one. */
export function readPageSize(pageSize: number, defaultSize: number): number {
  if (pageSize < 0) throw invalidField("page_size", `is ${pageSize}; it must not be negative`);
  return pageSize === 0 ? defaultSize : Math.min(pageSize, PAGE_SIZE_MAX);
}

/** The revision in an etag as GetOperation answers it, `"3"`; null for "". Throws INVALID_FIELD. */
export function readEtag(etag: string): number | null {
  if (etag === "") return null;
  const revision = /^"(\d{1,15})"$/.exec(etag)?.[1];
  if (revision === undefined)
    throw invalidField("etag", 'is not as GetOperation answers it, for instance "3" in quotes');
  return Number(revision);
}

/** The etag of a revision: quoted (RFC 9110, 8.8.3). */
export function etagOf(revision: number): string {
  return `"${revision}"`;
}
