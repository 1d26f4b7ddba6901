// The ids that Belay makes: a 3-letter prefix and 17 characters of [a-z0-9], ordered by time.
import { type Instant, MICROS_PER_MS } from "./clock.ts";
import { randomBase36 } from "./random.ts";

const TIME_LENGTH = 9; // 36^9 ms: until the year 5188
const RANDOM_LENGTH = 8; // 41 bits

/**
 * Makes an id such as `opr0mh1k2j3c4v5b6n7q8`: prefix, time in ms (9 characters), random (8 characters, 41 bits).
 * Ids of one process sort by creation to the millisecond. An id is never authority.
 */
export function makeId(prefix: string, now: Instant): string {
  const time = Math.floor(now / MICROS_PER_MS)
    .toString(36)
    .padStart(TIME_LENGTH, "0");
  return prefix + time + randomBase36(RANDOM_LENGTH);
}
