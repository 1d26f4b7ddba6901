// RpcError as an HTTP reply: in the form of AIP-193 on google paths, as a bare google.rpc.Status on yandex paths.
import type { RpcError } from "../base/rpc-error.ts";
import { httpStatusOf, statusCodeName } from "../base/status-code.ts";
import { statusJson } from "../protocol/status.ts";
import { wwwAuthenticate } from "./www-authenticate.ts";

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
 * The reply `{"error": {"code", "message", "status", "details"}}` of AIP-193, where `code` is the HTTP status. Headers
 * as in `errorHeaders`.
 */
export function errorReply(error: RpcError): ErrorReply {
  const httpStatus = httpStatusOfError(error);
  const { message, details } = statusJson(error);
  const status = statusCodeName(error.code);
  return {
    httpStatus,
    headers: errorHeaders(error),
    body: JSON.stringify({ error: { code: httpStatus, message, status, details } }),
  };
}

/**
 * The reply of Yandex Cloud: a bare google.rpc.Status `{"code", "message", "details"}`, where `code` is the number of
 * google.rpc.Code whatever the HTTP status is. The request's id is told in a google.rpc.RequestInfo, the last detail.
 */
export function bareErrorReply(error: RpcError, requestId: string): ErrorReply {
  const { code, message, details } = statusJson(error);
  const requestInfo = { "@type": "type.googleapis.com/google.rpc.RequestInfo", requestId };
  return {
    httpStatus: httpStatusOfError(error),
    headers: errorHeaders(error),
    body: JSON.stringify({ code, message, details: [...details, requestInfo] }),
  };
}

/**
 * The headers of an error in either form: Allow on 405; WWW-Authenticate on 401, and on 403 for a missing scope;
 * Retry-After in whole seconds if a delay is given (gcloud reads it with int() and retries at once on a date).
 */
function errorHeaders(error: RpcError): Record<string, string> {
  const headers: Record<string, string> = {
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-store",
  };
  if (error.reason === "METHOD_NOT_ALLOWED") headers["allow"] = String(error.parameters["allowed"] ?? "");
  const challenge = wwwAuthenticate(error);
  if (challenge !== undefined) headers["www-authenticate"] = challenge;
  if (error.retryDelayMs !== undefined) {
    headers["retry-after"] = String(Math.max(1, Math.ceil(error.retryDelayMs / 1000)));
  }
  return headers;
}
