// RpcError as grpc-js sends it: code, message and `grpc-status-details-bin`, in trailers only.
import { Metadata, type ServiceError } from "@grpc/grpc-js";
import type { RpcError } from "../base/rpc-error.ts";
import { encodeStatus, statusMessage } from "../protocol/status.ts";
import { wwwAuthenticate } from "../transcoding/www-authenticate.ts";

/** An error as grpc-js takes it; it needs no stack of its own. */
type SentError = Pick<ServiceError, "code" | "details" | "metadata">;

/** The error for a grpc-js callback, with the trailers that were set before it. */
export function toServiceError(error: RpcError, trailers: Metadata | undefined): ServiceError {
  const metadata = trailers ?? new Metadata();
  const bytes = encodeStatus(error);
  metadata.set("grpc-status-details-bin", Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const challenge = wwwAuthenticate(error);
  if (challenge !== undefined) metadata.set("www-authenticate", challenge);
  // gRFC A6: clients with a retry policy wait this long, whatever their own backoff says.
  if (error.retryDelayMs !== undefined) {
    metadata.set("grpc-retry-pushback-ms", String(Math.max(0, Math.round(error.retryDelayMs))));
  }
  // grpc-js percent-encodes the message by encodeURI: more than the protocol asks for, and every client decodes it.
  // encodeURI throws on half a surrogate pair; statusMessage has none.
  const sent: SentError = { code: error.code, details: statusMessage(error), metadata };
  return sent as ServiceError;
}
