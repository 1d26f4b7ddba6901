// Tokens that were verified, by their hash: the second call with a token is answered without a signature check, in the
// same turn of the event loop. Bounded in number and time.

import { type Instant, MICROS_PER_SECOND } from "../../base/clock.ts";
import { dropOldest } from "../../base/drop-oldest.ts";
import type { VerifiedToken } from "./verified-token.ts";

const ENTRIES_MAX = 10_000;

/** Then a token is verified again: its key may have been withdrawn. */
const AGE_MAX_US = 300 * MICROS_PER_SECOND;

interface CacheEntry {
  readonly token: VerifiedToken;
  readonly until: Instant;
}

export class TokenCache {
  readonly #entries = new Map<string, CacheEntry>();
  readonly #entriesMax: number;

  constructor(entriesMax: number = ENTRIES_MAX) {
    this.#entriesMax = entriesMax;
  }

  /** What was found of the token with this hash, unless that is too old. Never at or after the token's own end. */
  get(hash: string, now: Instant): VerifiedToken | undefined {
    const entry = this.#entries.get(hash);
    if (!entry) return undefined;
    if (now < entry.until) return entry.token;
    this.#entries.delete(hash);
    return undefined;
  }

  /** Keeps a token; the one that came first makes room. */
  set(hash: string, token: VerifiedToken, now: Instant): void {
    const until = Math.min(token.expiresAt, now + AGE_MAX_US);
    if (until <= now) return;
    dropOldest(this.#entries, this.#entriesMax - 1);
    this.#entries.set(hash, { token, until });
  }
}
