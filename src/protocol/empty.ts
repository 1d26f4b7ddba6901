// google.protobuf.Empty, the reply of Cancel and Delete and the result of deletions.
import type { Payload } from "./payload.ts";

export const EMPTY_TYPE_URL = "type.googleapis.com/google.protobuf.Empty";

/** Empty in protobuf: no bytes. */
export const EMPTY_BYTES: Uint8Array = new Uint8Array(0);

/** Empty in JSON. Never no bytes: google-gax throws on a reply of length 0. */
export const EMPTY_JSON = "{}";

/** Empty as a payload. */
export const emptyPayload: Payload = { typeUrl: EMPTY_TYPE_URL, bytes: EMPTY_BYTES };
