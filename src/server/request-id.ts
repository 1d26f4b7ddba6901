// Request ids: they tie an answer to the server's log. Unique per process start, not secret.
import { randomBase36 } from "../base/random.ts";

const prefix = randomBase36(10);
let count = 0;

/** A new id, for instance `4ktz0q81mc-2s`. A counter behind a random prefix: random bytes for each call cost 2 us. */
export function nextRequestId(): string {
  return `${prefix}-${(count++).toString(36)}`;
}

/** The id that a caller sent, if it is 1-128 visible ASCII characters. */
export function acceptRequestId(sent: string | undefined): string | undefined {
  return sent !== undefined && /^[\x21-\x7e]{1,128}$/.test(sent) ? sent : undefined;
}
