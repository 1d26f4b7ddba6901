// HTTP's own errors, those that come before any method is reached, as AIP-193 bodies.
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { RpcError } from "../base/rpc-error.ts";
import type { Dialect } from "../services/service-declaration.ts";
import { bareErrorReply, type ErrorReply, errorReply, REQUEST_BODY } from "../transcoding/error-body.ts";

/** Headers of every reply. */
export const commonHeaders: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/** The reply to an error in the form of the dialect; `httpStatus` where HTTP has a word of its own for it. */
export function replyTo(
  error: RpcError,
  dialect: Dialect,
  requestId: string,
  httpStatus?: number,
): ErrorReply {
  if (dialect === "yandex") {
    const reply = bareErrorReply(error, requestId);
    return { ...reply, httpStatus: httpStatus ?? reply.httpStatus };
  }
  const reply = errorReply(error);
  if (httpStatus === undefined) return reply;
  const { error: body } = JSON.parse(reply.body) as { error: Record<string, unknown> };
  return { ...reply, httpStatus, body: JSON.stringify({ error: { ...body, code: httpStatus } }) };
}

/** What was thrown outside of a call: by our own door, or by fastify while it read the request. */
export function readThrown(
  thrown: unknown,
  request: { id: string; contentType: string | undefined; bodyBytesMax: number },
): { error: RpcError; httpStatus?: number } {
  const code = typeof thrown === "object" && thrown !== null && "code" in thrown ? thrown.code : undefined;
  const limit = request.bodyBytesMax;
  switch (code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE": {
      const size = `more than ${limit}`;
      return { error: new RpcError("PAYLOAD_TOO_LARGE", { field: REQUEST_BODY, size, limit }) };
    }
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return { error: new RpcError("CONTENT_TYPE_REFUSED", { contentType: request.contentType ?? "none" }) };
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
    case "ECONNRESET":
      return { error: new RpcError("MALFORMED_HTTP", { problem: "its body is not as long as it says" }) };
    default:
      return { error: RpcError.from(thrown, request.id) };
  }
}

interface Refusal {
  httpStatus: number;
  problem: string;
}

const parserRefusals: Readonly<Record<string, Refusal>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { httpStatus: 408, problem: "it took too long to arrive" },
  HPE_HEADER_OVERFLOW: { httpStatus: 431, problem: "its headers are too large" },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { httpStatus: 413, problem: "its chunk extensions are too large" },
};

/**
 * Answers the `clientError` of node:http, by hand on the socket: there is no request to reply to. The connection is
 * closed, since nobody knows where its next request would begin.
 */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  const { httpStatus, problem } = parserRefusals[error.code ?? ""] ?? {
    httpStatus: 400,
    problem: "it is no HTTP/1.1",
  };
  if (socket.writable) {
    const { headers, body } = replyTo(new RpcError("MALFORMED_HTTP", { problem }), "google", "", httpStatus);
    const lines = [`HTTP/1.1 ${httpStatus} ${STATUS_CODES[httpStatus]}`];
    for (const [name, value] of Object.entries({ ...headers, ...commonHeaders }))
      lines.push(`${name}: ${value}`);
    lines.push(`content-length: ${Buffer.byteLength(body)}`, "connection: close");
    socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`);
  }
  socket.destroySoon();
}
