// The door for JSON payloads: what a caller starts with, and what a handler answers or keeps.
import { RpcError } from "../base/rpc-error.ts";
import { checkJsonLimits, payloadLimits } from "./json-limits.ts";
import type { Payload } from "./payload.ts";
import { structPayload } from "./struct.ts";
import type { JsonObject } from "./worker-connection.ts";

/** Of the stored bytes: as Struct, JSON within its limits may be a third longer. Three of them fit in a stored operation. */
const STORED_BYTES_MAX = 320_000;

/** The Struct payload of a JSON object within payloadLimits. Throws PAYLOAD_TOO_DEEP, _TOO_MANY_KEYS, _TOO_LARGE or INVALID_FIELD. */
export function jsonPayload(value: JsonObject, field: string): Payload {
  checkJsonLimits(value, field, payloadLimits);
  const payload = structPayload(value);
  const size = payload.bytes.length;
  if (size > STORED_BYTES_MAX)
    throw new RpcError("PAYLOAD_TOO_LARGE", { field, size, limit: STORED_BYTES_MAX });
  return payload;
}
