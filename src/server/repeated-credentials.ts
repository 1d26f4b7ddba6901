// Several authorization headers on one gRPC call. node:http2 hands over the first one and drops the others in silence, so a
// proxy that checked the last would have checked another credential than the one that counts here. Here all are kept, and
// the authenticator refuses them.
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Server } from "@grpc/grpc-js";

/**
 * Makes the server see every value of `authorization`. Call it after createConnectionInjector. grpc-js has no hook for the
 * raw headers, so its (private) list of http2 servers is read; a conformance test sends two over the wire.
 */
export function keepRepeatedCredentials(server: Server): void {
  const servers: unknown = Reflect.get(server, "http2Servers");
  if (!(servers instanceof Map)) throw new TypeError("this grpc-js has no http2Servers");
  for (const http2Server of servers.keys() as Iterable<Http2Server>) {
    // Before grpc-js makes metadata of the headers.
    http2Server.prependListener("stream", keepAll);
  }
}

function keepAll(
  _stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  _flags: number,
  rawHeaders: readonly string[],
): void {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index] === "authorization") count++;
  }
  if (count < 2) return;
  const values = rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1] === "authorization",
  );
  (headers as Record<string, string | string[]>)["authorization"] = values;
}
