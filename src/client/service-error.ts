// Errors of gRPC calls, read into BelayErrors: the code, and reason and metadata of google.rpc.ErrorInfo.
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack, durationMs } from "@bufbuild/protobuf/wkt";
import { type ServiceError, type StatusObject, status } from "@grpc/grpc-js";
import { statusCodeName } from "../base/status-code.ts";
import { ErrorInfoSchema, RetryInfoSchema } from "../protocol/gen/google/rpc/error_details_pb.ts";
import { type Status, StatusSchema } from "../protocol/gen/google/rpc/status_pb.ts";
import { BelayError } from "./belay-error.ts";

const DETAILS_KEY = "grpc-status-details-bin";

/** Turns the error of a gRPC call to `address` into a BelayError. */
export function fromServiceError(error: ServiceError, address: string): BelayError {
  const { reason, metadata, retryDelayMs } = errorInfo(error);
  const text = error.details || error.message;
  const fields = { reason, metadata, retryDelayMs, cause: error };
  if (reason === "") {
    // CANCELLED without a reason: the peer reset the stream, as one that is shutting down does. A caller's own abort
    // never comes here.
    if (error.code === status.CANCELLED || error.code === status.UNAVAILABLE) {
      const problem = error.code === status.CANCELLED ? CLOSED : connectProblem(text);
      return new BelayError(`cannot reach ${address}: ${problem}`, { ...fields, code: "UNAVAILABLE" });
    }
    if (error.code === status.DEADLINE_EXCEEDED) {
      return new BelayError(`no answer from ${address} in time`, { ...fields, code: "DEADLINE_EXCEEDED" });
    }
  }
  return new BelayError(text, { ...fields, code: statusCodeName(error.code) });
}

const CLOSED = "the connection was closed";

/** What the details of a status say that a caller can act on. */
export interface ErrorDetails {
  reason: string;
  metadata: Record<string, string>;
  retryDelayMs?: number;
}

/** Reason and metadata of a status' ErrorInfo, the delay of its RetryInfo; empty if it has none, or one that does not decode. */
export function errorInfoOf(status: Status): ErrorDetails {
  const found: ErrorDetails = { reason: "", metadata: {} };
  try {
    for (const detail of status.details) {
      const info = anyUnpack(detail, ErrorInfoSchema);
      if (info) Object.assign(found, { reason: info.reason, metadata: info.metadata });
      const delay = anyUnpack(detail, RetryInfoSchema)?.retryDelay;
      if (delay) found.retryDelayMs = durationMs(delay);
    }
  } catch {
    // Not what it says it is: the plain code and message stand.
  }
  return found;
}

function errorInfo(error: StatusObject): ErrorDetails {
  const [bytes] = error.metadata?.get(DETAILS_KEY) ?? [];
  if (Buffer.isBuffer(bytes)) {
    try {
      return errorInfoOf(fromBinary(StatusSchema, bytes));
    } catch {
      // Not a google.rpc.Status: the plain code and message stand.
    }
  }
  return { reason: "", metadata: {} };
}

/** What went wrong, from grpc-js's long text ("No connection established. Last error: connect ECONNREFUSED ..."). */
function connectProblem(text: string): string {
  const known: readonly (readonly [RegExp, string])[] = [
    [/ECONNREFUSED/, "connection refused (is belay serve running there?)"],
    [/ENOTFOUND|EAI_AGAIN|Name resolution failed/, "the host name is not known"],
    [/ECONNRESET|ECONNABORTED|EPIPE|Connection dropped|socket hang up/, CLOSED],
    [/ALTNAME/, "its certificate is for other names"],
    [
      /unable to (?:verify|get)|self.signed|certificate/i,
      "its certificate is not trusted here (GRPC_DEFAULT_SSL_ROOTS_FILE_PATH or NODE_EXTRA_CA_CERTS names its CA)",
    ],
    [/ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/, "the host does not answer"],
  ];
  for (const [pattern, problem] of known) if (pattern.test(text)) return problem;
  return text;
}
