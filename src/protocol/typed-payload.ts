// The door for payloads that are messages of a declared type: the request of a start method, and its response.
import { type DescMessage, type Message, type Registry, toBinary } from "@bufbuild/protobuf";
import { invalidField, RpcError } from "../base/rpc-error.ts";
import { messageToJson } from "./any.ts";
import { checkJsonLimits, payloadLimits } from "./json-limits.ts";
import type { Payload } from "./payload.ts";
import type { JsonValue } from "./worker-connection.ts";

const TYPE_URL_PREFIX = "type.googleapis.com/";

/**
 * Of the JSON that a handler sees of such a message: base64 and field names make it longer than the bytes, which have
 * the limit of every payload.
 */
const JSON_BYTES_MAX = 4 * payloadLimits.bytesMax;

/** `type.googleapis.com/` and the message's full name. */
export function typeUrlOf(desc: DescMessage): string {
  return `${TYPE_URL_PREFIX}${desc.typeName}`;
}

/** The message's full name in a type URL: what stands after the last slash. */
export function typeNameOf(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
}

/**
 * A message as a payload, with its ProtoJSON. At most 256 KiB of bytes, 100 levels and 10,000 keys and elements of JSON.
 * Throws PAYLOAD_TOO_LARGE, PAYLOAD_TOO_DEEP or PAYLOAD_TOO_MANY_KEYS with the field, and INVALID_FIELD for a value
 * without JSON (a Timestamp out of range).
 */
export function typedPayload(
  desc: DescMessage,
  message: Message,
  field: string,
  registry: Registry,
): { payload: Payload; json: JsonValue } {
  const bytes = toBinary(desc, message);
  const limit = payloadLimits.bytesMax;
  if (bytes.length > limit) throw new RpcError("PAYLOAD_TOO_LARGE", { field, size: bytes.length, limit });
  const json = jsonOf(desc, message, field, registry);
  checkJsonLimits(json, field, { ...payloadLimits, bytesMax: JSON_BYTES_MAX });
  return { payload: { typeUrl: typeUrlOf(desc), bytes }, json };
}

function jsonOf(desc: DescMessage, message: Message, field: string, registry: Registry): JsonValue {
  try {
    return messageToJson(desc, message, registry);
  } catch (error) {
    throw invalidField(field, error instanceof Error ? error.message : String(error));
  }
}
