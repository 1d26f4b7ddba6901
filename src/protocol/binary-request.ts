// Request messages from protobuf bytes, refused at the door when they are nested too deep or broken.
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { invalidField, RpcError } from "../base/rpc-error.ts";
import { payloadLimits } from "./json-limits.ts";

/**
 * Messages within messages. A JSON level of a Struct is two (Value, and Struct or ListValue); the request
 * around it and its innermost scalar add one each. So 100 levels of payload pass and are then counted exactly
 * by checkJsonLimits, and deeper bytes cost no more than this many frames.
 */
export const REQUEST_RECURSION_MAX: number = 2 * payloadLimits.depthMax + 2;

/**
 * Decodes a request. Unknown fields are dropped. Throws PAYLOAD_TOO_DEEP for nesting beyond
 * REQUEST_RECURSION_MAX, INVALID_FIELD (field `request`) for bytes that are no such message.
 */
export function decodeRequest<Desc extends DescMessage>(desc: Desc, bytes: Uint8Array): MessageShape<Desc> {
  try {
    return fromBinary(desc, bytes, { readUnknownFields: false, recursionLimit: REQUEST_RECURSION_MAX });
  } catch (error) {
    // protobuf-es has one Error for all; the test beside this file holds its text.
    if (error instanceof Error && error.message.includes("maximum recursion depth")) {
      throw new RpcError("PAYLOAD_TOO_DEEP", { field: "request", limit: payloadLimits.depthMax });
    }
    throw invalidField("request", `the bytes are no ${desc.typeName}`);
  }
}
