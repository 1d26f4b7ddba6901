// From what a handler threw, or returned, to what is reported. The rules are the same inline and in a thread.
import { isCausedBy } from "../base/abort-reasons.ts";
import { StatusCode } from "../base/status-code.ts";
import { checkJsonLimits, payloadLimits } from "../protocol/json-limits.ts";
import type { JsonObject } from "../protocol/worker-connection.ts";
import type { Failure } from "./runner.ts";

/** Longer messages are cut: they are stored with the operation and sent with every Get. */
const MESSAGE_MAX = 4096;

/** Cuts a text to `max` UTF-16 units, never through a surrogate pair. */
export function cutText(text: string, max: number): string {
  const whole = text.toWellFormed();
  return whole.length <= max ? whole : `${whole.slice(0, max - 3).replace(/[\uD800-\uDBFF]$/, "")}...`;
}

/**
 * Describes what a handler threw. `reason` is the reason of its aborted signal, or undefined.
 * A numeric `code` that is a google.rpc code from 2 to 16 is kept; everything else is UNKNOWN. That goes for CANCELLED
 * too: it is the server's to give (S7). A DOMException's code is another table's.
 */
export function failureOf(thrown: unknown, reason: unknown): Failure {
  const abortCaused = reason !== undefined && isCausedBy(thrown, reason);
  const message = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
  return {
    error: { code: codeOf(thrown), message: cutText(message, MESSAGE_MAX) },
    retryable: isRetryable(thrown),
    abortCaused,
  };
}

/** By name, not by class: a handler's module may have loaded its own copy of this package. */
function isRetryable(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === "RetryableError";
}

function codeOf(thrown: unknown): number {
  if (!(thrown instanceof Error) || thrown instanceof DOMException || !("code" in thrown))
    return StatusCode.UNKNOWN;
  const { code } = thrown;
  const isCode = typeof code === "number" && Number.isInteger(code) && code >= 2 && code <= 16;
  return isCode ? code : StatusCode.UNKNOWN;
}

/** A handler's answer that cannot be stored is the handler's fault, so INTERNAL and not INVALID_ARGUMENT. */
class ResponseRefused extends Error {
  override name = "ResponseRefused";
  readonly code = StatusCode.INTERNAL;
}

/** What a handler returned, if it can be stored: a JSON object within the payload limits, or nothing. Throws otherwise. */
export function responseOf(returned: unknown): JsonObject | null {
  if (returned === undefined || returned === null) return null;
  if (typeof returned !== "object" || Array.isArray(returned)) {
    const kind = Array.isArray(returned) ? "an array" : `a ${typeof returned}`;
    throw new ResponseRefused(`the handler returned ${kind}; it may return a JSON object or nothing`);
  }
  try {
    checkJsonLimits(returned, "response", payloadLimits);
  } catch (error) {
    throw new ResponseRefused(error instanceof Error ? error.message : String(error), { cause: error });
  }
  return returned as JsonObject;
}
