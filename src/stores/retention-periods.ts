// How long a store keeps what is not an operation's own. Operations have a retention each.
import { type Instant, MICROS_PER_SECOND } from "../base/clock.ts";

const DAY: Instant = 24 * 3600 * MICROS_PER_SECOND;

/** A receipt is kept this long after its operation ended, and as long as the operation itself. */
export const RECEIPT_RETENTION: Instant = 400 * DAY;
export const AUDIT_RETENTION: Instant = 400 * DAY;
/** How far back a watcher can resume. */
export const FEED_RETENTION: Instant = 7 * DAY;

/** How old the newest sealing key of tokens may be: random nonces of one key stay far below 2^32. */
export const KEY_ROTATION: Instant = 7 * DAY;
/** How long a key outlives its last token: longer than page tokens live, and than the feed is kept. */
export const KEY_AFTERLIFE: Instant = 14 * DAY;
