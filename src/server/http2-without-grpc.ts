// Calls over HTTP/2 that are no gRPC: REST clients with HTTP/2 by prior knowledge, or by ALPN. grpc-js answers them with
// a bare 415; here they are told what to do.
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Server } from "@grpc/grpc-js";
import { RpcError } from "../base/rpc-error.ts";
import { errorReply } from "../transcoding/error-body.ts";
import { commonHeaders } from "./rest-errors.ts";

/**
 * Makes the server tell calls without `content-type: application/grpc` why they are refused, with HTTP2_WITHOUT_GRPC. It
 * has no hook for it, so its (private) check is wrapped; should it ever be renamed, its own answer stays.
 */
export function explainWithoutGrpc(server: Server): void {
  const check: unknown = Reflect.get(server, "_verifyContentType");
  if (typeof check !== "function") return;
  Reflect.set(
    server,
    "_verifyContentType",
    (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean => {
      const contentType = headers["content-type"];
      if (contentType?.startsWith("application/grpc")) return true;
      refuse(stream, headers);
      return false;
    },
  );
}

const SHOWN_MAX = 128;

function refuse(stream: ServerHttp2Stream, asked: IncomingHttpHeaders): void {
  const shown = asked["content-type"]?.slice(0, SHOWN_MAX) || "none";
  const { httpStatus, headers, body } = errorReply(
    new RpcError("HTTP2_WITHOUT_GRPC", { contentType: shown }),
  );
  const endStream = asked[":method"] === "HEAD";
  stream.respond({ ":status": httpStatus, ...headers, ...commonHeaders }, { endStream });
  if (!endStream) stream.end(body);
  // The rest of the request is not waited for (RFC 9113, 8.1); what has come of it is dropped, or the stream would stay.
  stream.resume();
  stream.close(constants.NGHTTP2_NO_ERROR);
}
