// The Idempotency-Key of a yandex call: a start with a key that was used before answers the operation of then.
import { invalidField } from "../../base/rpc-error.ts";
import type { CallContext } from "../method.ts";

/** A header on REST, metadata on gRPC. */
const IDEMPOTENCY_KEY = "idempotency-key";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * The call's idempotency key in lower case, to be used as the start's request id; `""` if the call has none. Throws
 * INVALID_FIELD for anything but a UUID (RFC 9562, section 4), of whatever version.
 */
export function idempotencyKeyOf(context: Pick<CallContext, "header">): string {
  const key = context.header(IDEMPOTENCY_KEY);
  if (key === undefined) return "";
  if (!UUID.test(key))
    throw invalidField(IDEMPOTENCY_KEY, "must be a UUID such as 5f0c1a52-8a1e-4d0e-9d62-0d1f4c7f3b1a");
  return key.toLowerCase();
}
