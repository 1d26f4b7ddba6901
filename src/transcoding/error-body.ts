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

/** The `field` of a PAYLOAD_TOO_LARGE whose whole HTTP body is too large. */
export const REQUEST_BODY = "the request body";

/**
 * The HTTP status of an error: that of its code (google/rpc/code.proto), but 405, 413 and 415 where HTTP has its
 * own word.
 */
export function httpStatusOfError(error: RpcError): number {
  switch (error.reason) {
    case "METHOD_NOT_ALLOWED":
      return 405;
    case "CONTENT_TYPE_REFUSED":
    case "ENCODING_REFUSED":
    case "HTTP2_WITHOUT_GRPC":
      return 415;
    case "PAYLOAD_TOO_LARGE":
      return error.parameters["field"] === REQUEST_BODY ? 413 : httpStatusOf(error.code);
    default:
      return httpStatusOf(error.code);
  }
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
 * The headers of an error in either form: Allow on 405; Accept-Encoding on 415 for an encoding (RFC 9110, 15.5.16); WWW-Authenticate on 401, and on 403 for a missing scope;
 * Retry-After in whole seconds if a delay is given (gcloud reads it with int() and retries at once on a date).
 */
function errorHeaders(error: RpcError): Record<string, string> {
  const headers: Record<string, string> = {
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-store",
  };
  if (error.reason === "METHOD_NOT_ALLOWED") headers["allow"] = String(error.parameters["allowed"] ?? "");
  if (error.reason === "ENCODING_REFUSED") headers["accept-encoding"] = "gzip, deflate, identity";
  const challenge = wwwAuthenticate(error);
  if (challenge !== undefined) headers["www-authenticate"] = challenge;
  if (error.retryDelayMs !== undefined) {
    headers["retry-after"] = String(Math.max(1, Math.ceil(error.retryDelayMs / 1000)));
  }
  return headers;
}
