// RpcError as google.rpc.Status, for gRPC's trailer and for JSON bodies. Its details are cut to a size that
// every client's header limit takes.
import { create, toBinary } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import { ERROR_DOMAIN } from "../base/error-reasons.ts";
import type { FieldViolation, RpcError } from "../base/rpc-error.ts";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "./gen/google/rpc/status_pb.ts";
import type { JsonObject } from "./worker-connection.ts";

const TYPE_PREFIX = "type.googleapis.com/google.rpc.";

/**
 * How much of an error is told. Callers put what they like into names and values; it comes back in headers.
 */
interface StatusLimits {
  messageLength: number;
  valueLength: number;
  violations: number;
}

const fullLimits: StatusLimits = { messageLength: 1024, valueLength: 256, violations: 16 };
const tightLimits: StatusLimits = { messageLength: 256, valueLength: 64, violations: 3 };

/**
 * Above this the trailer is made again with tighter limits. Java's and C-core's clients take 8 KiB of headers
 * in all, and base64 adds a third.
 */
const STATUS_BYTES_MAX = 4096;

/** An error's message, as long as it may be on the wire: well-formed Unicode, at most 1,024 characters. */
export function statusMessage(error: RpcError): string {
  return clip(error.message, fullLimits.messageLength);
}

/**
 * The google.rpc.Status of an error as JSON: `{code, message, details}` with the gRPC code number. Details:
 * one ErrorInfo always (parameters as strings), BadRequest if fields are named, RetryInfo if a delay is given
 * (AIP-193).
 */
export function statusJson(error: RpcError): { code: number; message: string; details: JsonObject[] } {
  const limits = fullLimits;
  const info: JsonObject = {
    "@type": `${TYPE_PREFIX}ErrorInfo`,
    reason: error.reason,
    domain: ERROR_DOMAIN,
  };
  const metadata = metadataOf(error, limits);
  // ProtoJSON leaves out what is empty.
  if (Object.keys(metadata).length > 0) info["metadata"] = metadata;
  const details: JsonObject[] = [info];
  const fieldViolations = violationsOf(error, limits);
  if (fieldViolations.length > 0) {
    details.push({
      "@type": `${TYPE_PREFIX}BadRequest`,
      fieldViolations: fieldViolations.map(({ field, description }) =>
        field ? { field, description } : { description },
      ),
    });
  }
  if (error.retryDelayMs !== undefined) {
    details.push({ "@type": `${TYPE_PREFIX}RetryInfo`, retryDelay: durationText(error.retryDelayMs) });
  }
  return { code: error.code, message: statusMessage(error), details };
}

/** The google.rpc.Status of an error as protobuf bytes, for the trailer `grpc-status-details-bin`. */
export function encodeStatus(error: RpcError): Uint8Array {
  const bytes = encodeWithin(error, fullLimits);
  return bytes.length <= STATUS_BYTES_MAX ? bytes : encodeWithin(error, tightLimits);
}

function encodeWithin(error: RpcError, limits: StatusLimits): Uint8Array {
  const info = create(ErrorInfoSchema, {
    reason: error.reason,
    domain: ERROR_DOMAIN,
    metadata: metadataOf(error, limits),
  });
  const details = [{ typeUrl: `${TYPE_PREFIX}ErrorInfo`, value: toBinary(ErrorInfoSchema, info) }];
  const fieldViolations = violationsOf(error, limits);
  if (fieldViolations.length > 0) {
    const value = toBinary(BadRequestSchema, create(BadRequestSchema, { fieldViolations }));
    details.push({ typeUrl: `${TYPE_PREFIX}BadRequest`, value });
  }
  if (error.retryDelayMs !== undefined) {
    const retryDelay = durationOf(error.retryDelayMs);
    const value = toBinary(RetryInfoSchema, create(RetryInfoSchema, { retryDelay }));
    details.push({ typeUrl: `${TYPE_PREFIX}RetryInfo`, value });
  }
  const message = clip(error.message, limits.messageLength);
  return toBinary(StatusSchema, create(StatusSchema, { code: error.code, message, details }));
}

function metadataOf(error: RpcError, limits: StatusLimits): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const [key, value] of Object.entries(error.parameters)) {
    metadata[key] = clip(String(value), limits.valueLength);
  }
  return metadata;
}

function violationsOf(error: RpcError, limits: StatusLimits): FieldViolation[] {
  return error.fieldViolations.slice(0, limits.violations).map(({ field, description }) => ({
    field: clip(field, limits.valueLength),
    description: clip(description, limits.valueLength),
  }));
}

function durationOf(ms: number): Duration {
  const whole = Math.max(0, Math.round(ms));
  return create(DurationSchema, {
    seconds: BigInt(Math.floor(whole / 1000)),
    nanos: (whole % 1000) * 1_000_000,
  });
}

/** A Duration in ProtoJSON, from whole milliseconds: "2s", "1.500s". */
function durationText(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  return whole % 1000 === 0 ? `${whole / 1000}s` : `${(whole / 1000).toFixed(3)}s`;
}

/** Cuts on a character's border: half a surrogate pair would be refused by the encoders. */
function clip(text: string, length: number): string {
  const cut = text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text;
  return cut.toWellFormed();
}
