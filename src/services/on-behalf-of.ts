// For whom a caller acts. belay.v1 has a field for it; the google and yandex dialects have no room in their messages, so
// there it is a header, or gRPC metadata. It is the caller's own word: kept in receipts, never looked at for permission.
import { invalidField } from "../base/rpc-error.ts";
import type { CallContext } from "./method.ts";

/** The header, and the key of the metadata. */
export const ON_BEHALF_OF_HEADER = "x-belay-on-behalf-of";

export const ON_BEHALF_OF_LENGTH_MAX = 256;

/** What the header says, or "". Throws INVALID_FIELD unless it is 0-256 visible ASCII characters and spaces. */
export function onBehalfOfHeader(context: Pick<CallContext, "header">): string {
  const text = context.header(ON_BEHALF_OF_HEADER) ?? "";
  if (text.length > ON_BEHALF_OF_LENGTH_MAX) {
    const problem = `is ${text.length} characters long; at most ${ON_BEHALF_OF_LENGTH_MAX} are taken`;
    throw invalidField(ON_BEHALF_OF_HEADER, problem);
  }
  if (!/^[\x20-\x7e]*$/.test(text))
    throw invalidField(ON_BEHALF_OF_HEADER, "must be visible ASCII characters");
  return text;
}
