// RpcError as an HTTP reply in the form of AIP-193.
import type { RpcError } from "../base/rpc-error.ts";
import { httpStatusOf, statusCodeName } from "../base/status-code.ts";
import { statusJson } from "../protocol/status.ts";

/** A whole reply. */
export interface ErrorReply {
  httpStatus: number;
  /** Lower-case names. */
  headers: Record<string, string>;
  body: string;
}

/**
 * The HTTP status of an error: that of its code (google/rpc/code.proto), but 405 and 415 where HTTP has its
 * own word.
 */
export function httpStatusOfError(error: RpcError): number {
  if (error.reason === "METHOD_NOT_ALLOWED") return 405;
  if (error.reason === "CONTENT_TYPE_REFUSED") return 415;
  return httpStatusOf(error.code);
}

/**
 * The reply `{"error": {"code", "message", "status", "details"}}`, where `code` is the HTTP status. Headers:
 * Allow on 405, Retry-After in whole seconds if a delay is given (gcloud reads it with int() and retries at
 * once on a date).
 */
export function errorReply(error: RpcError): ErrorReply {
  const httpStatus = httpStatusOfError(error);
  const { message, details } = statusJson(error);
  const headers: Record<string, string> = {
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-store",
  };
  if (error.reason === "METHOD_NOT_ALLOWED") headers["allow"] = String(error.parameters["allowed"] ?? "");
  if (error.retryDelayMs !== undefined) {
    headers["retry-after"] = String(Math.max(1, Math.ceil(error.retryDelayMs / 1000)));
  }
  const status = statusCodeName(error.code);
  return {
    httpStatus,
    headers,
    body: JSON.stringify({ error: { code: httpStatus, message, status, details } }),
  };
}
