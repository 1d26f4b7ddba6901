// The challenge of a 401 or 403: what a client may do about it. The same text goes into the REST header and the gRPC
// trailer `www-authenticate`.
import type { RpcError } from "../base/rpc-error.ts";

const CHALLENGE = 'Bearer realm="belay"';

/**
 * The value of WWW-Authenticate for an error, or undefined where there is nothing to ask for (RFC 6750, section 3).
 * A call without a usable credential gets no error code; only fixed text and the service's own scopes are in it.
 */
export function wwwAuthenticate(error: RpcError): string | undefined {
  switch (error.reason) {
    case "CREDENTIALS_MISSING":
    case "ACCESS_TOKEN_TYPE_UNSUPPORTED":
      return CHALLENGE;
    case "ACCESS_TOKEN_INVALID":
    case "ACCESS_TOKEN_EXPIRED":
      return `${CHALLENGE}, error="invalid_token"`;
    case "ACCESS_TOKEN_SCOPE_INSUFFICIENT": {
      // Message and metadata list them with commas; the attribute separates them by spaces.
      const scopes = String(error.parameters["scopes"] ?? "").replaceAll(", ", " ");
      return `${CHALLENGE}, error="insufficient_scope", scope="${scopes.replace(/[^\x21\x23-\x5b\x5d-\x7e ]/g, "")}"`;
    }
    default:
      return undefined;
  }
}
