// Request targets in absolute form, `GET http://vault.googleapis.com/v1/operations HTTP/1.1`: clients send them to
// what they take for a proxy, and every server must take them (RFC 9112, 3.2.2).
import type { IncomingMessage } from "node:http";
import { RpcError } from "../base/rpc-error.ts";

/** Scheme, authority without user information, and the rest. */
const ABSOLUTE = /^(https?):\/\/(\[[0-9a-f:.]+\](?::\d{0,5})?|[\w.~%-]+(?::\d{0,5})?)(\/.*|\?.*)?$/i;

/**
 * Makes the target of a request the path alone, and its authority the Host, whatever Host said. Any other target is
 * left as it is. Call it after checkHostHeader: a bad Host header is refused beside an absolute target, too. Throws
 * MALFORMED_HTTP when the scheme is not the connection's.
 */
export function resolveAbsoluteTarget(
  request: Pick<IncomingMessage, "headers"> & { originalUrl?: string },
  isTls: boolean,
): void {
  const { originalUrl = "" } = request;
  if (originalUrl.charCodeAt(0) === 0x2f) return;
  const match = ABSOLUTE.exec(originalUrl);
  if (!match) return;
  const [, scheme = "", authority = "", path = ""] = match;
  if (scheme.toLowerCase() !== (isTls ? "https" : "http")) {
    const problem = `its target's scheme is ${scheme.toLowerCase()}, and the connection's is not`;
    throw new RpcError("MALFORMED_HTTP", { problem });
  }
  request.headers.host = authority;
  request.originalUrl = path.startsWith("/") ? path : `/${path}`;
}
