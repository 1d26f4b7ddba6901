// From plain data to the messages that hold results: google.rpc.Status, google.protobuf.Any, JSON payloads.
import { create, fromBinary, type Registry } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import type { RpcError } from "../../base/rpc-error.ts";
import type { Payload, StatusValue, StoredOperation } from "../../engine/operation.ts";
import { anyToJson } from "../../protocol/any.ts";
import type { Operation } from "../../protocol/gen/belay/v1/operations_pb.ts";
import { type Status, StatusSchema } from "../../protocol/gen/google/rpc/status_pb.ts";
import { encodeStatus } from "../../protocol/status.ts";
import { STRUCT_TYPE_URL, structValue } from "../../protocol/struct.ts";
import type { JsonObject } from "../../protocol/worker-connection.ts";

/** An operation's `result`: neither error nor response before its end. */
export function projectResult({ record, response }: StoredOperation): Operation["result"] {
  const { outcome } = record;
  if (outcome === null) return { case: undefined };
  if (outcome.kind === "error") return { case: "error", value: projectStatus(outcome.status) };
  return response ? { case: "response", value: anyOf(response) } : { case: undefined };
}

export function projectStatus(status: StatusValue): Status {
  return create(StatusSchema, {
    code: status.code,
    message: status.message,
    details: status.details.map(anyOf),
  });
}

/** A caller's error as a message within an answer, with the details that it would have as the answer of a call. */
export function projectError(error: RpcError): Status {
  return fromBinary(StatusSchema, encodeStatus(error));
}

/** The JSON of a payload: a Struct's own object; a typed one as an Any, with its `@type`. */
export function jsonOf(payload: Payload, registry: Registry): JsonObject {
  return payload.typeUrl === STRUCT_TYPE_URL ? structValue(payload) : anyToJson(payload, registry);
}

function anyOf(payload: Payload): Any {
  return create(AnySchema, { typeUrl: payload.typeUrl, value: payload.bytes });
}
