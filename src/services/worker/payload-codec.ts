// What stands between the payloads that are stored and the JSON that handlers take and give.
import type { Payload } from "../../engine/operation.ts";
import { anyToJson } from "../../protocol/any.ts";
import { emptyPayload } from "../../protocol/empty.ts";
import { jsonPayload } from "../../protocol/json-payload.ts";
import { decodeStruct, STRUCT_TYPE_URL } from "../../protocol/struct.ts";
import { baseTypeRegistry } from "../../protocol/type-registry.ts";
import type { JsonObject } from "../../protocol/worker-connection.ts";

/**
 * Turns a handler's answer, null for none, into the stored response. Throws an RpcError of code INVALID_ARGUMENT for an
 * answer that cannot be stored: the worker then fails the operation with INTERNAL, and does not repeat it.
 */
export type EncodeResponse = (response: JsonObject | null) => Payload;

/** The payloads of a server's services. */
export interface PayloadCodec {
  /** The input that a handler gets of a stored request. Never throws. */
  decodeRequest(service: string, request: Payload): JsonObject;
  /** How the responses of an operation type are encoded; called once for each attempt. */
  responseEncoder(service: string, type: string): EncodeResponse;
}

/** A JSON object as Struct; nothing as Empty. Throws PAYLOAD_TOO_LARGE, _DEEP, _MANY_KEYS or INVALID_FIELD. */
export const encodeStructResponse: EncodeResponse = (response) =>
  response === null ? emptyPayload : jsonPayload(response, "response");

/** For services whose payloads are plain JSON. */
export const structCodec: PayloadCodec = {
  decodeRequest: (_, request) =>
    request.typeUrl === STRUCT_TYPE_URL ? decodeStruct(request.bytes) : anyToJson(request, baseTypeRegistry),
  responseEncoder: () => encodeStructResponse,
};
