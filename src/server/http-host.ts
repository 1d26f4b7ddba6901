// The Host header of HTTP/1.1, which decides the service that a request is for: there must be one, and only one (RFC
// 9112, 3.2). Node answers a missing one with a body that is not ours, and of two it takes the first in silence.
import type { IncomingMessage } from "node:http";
import { RpcError } from "../base/rpc-error.ts";

/** What a Host header may hold (RFC 3986, 3.2.2 and 3.2.3, without user information). */
const AUTHORITY = /^(?:\[[0-9a-f:.]+\]|[\w.~%-]*)(?::\d{0,5})?$/i;

/**
 * Throws MALFORMED_HTTP for a request with several Host headers, with one that is no host and port, or, on HTTP/1.1,
 * with none. The server must be made with `requireHostHeader: false`.
 */
export function checkHostHeader(
  request: Pick<IncomingMessage, "rawHeaders" | "headers" | "httpVersion">,
): void {
  const { rawHeaders, headers, httpVersion } = request;
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 4 && name.toLowerCase() === "host") count++;
  }
  if (count === 0) {
    // HTTP/1.0 knows no Host.
    if (httpVersion === "1.0") return;
    throw new RpcError("MALFORMED_HTTP", { problem: "it has no Host header" });
  }
  if (count > 1) throw new RpcError("MALFORMED_HTTP", { problem: `it has ${count} Host headers` });
  if (!AUTHORITY.test(headers.host ?? "")) {
    throw new RpcError("MALFORMED_HTTP", { problem: "its Host header is no host and port" });
  }
}
