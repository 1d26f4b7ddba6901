// The keys that seal tokens, at hand: a watch seals a token for each of its messages.
import { type Clock, type Instant, MICROS_PER_SECOND } from "../base/clock.ts";
import { sealedKeyId, type TokenKey } from "./sealed-token.ts";

/** Where the keys are. */
export interface TokenKeySource {
  newest(): Promise<TokenKey>;
  /** undefined for a key that is gone, or never was. */
  bytesOf(id: number): Promise<Uint8Array | undefined>;
}

/** How long the newest key counts as the newest: it is replaced once a week, and old ones live on for weeks. */
const NEWEST_PERIOD: Instant = 3600 * MICROS_PER_SECOND;

export class TokenKeyring {
  readonly #clock: Clock;
  readonly #source: TokenKeySource;
  /** Only keys that there are: at most some. */
  readonly #bytes = new Map<number, Uint8Array>();
  #newest: { key: TokenKey; readTime: Instant } | null = null;

  constructor(clock: Clock, source: TokenKeySource) {
    this.#clock = clock;
    this.#source = source;
  }

  async newest(): Promise<TokenKey> {
    const now = this.#clock.now();
    if (this.#newest === null || now - this.#newest.readTime > NEWEST_PERIOD) {
      const key = await this.#source.newest();
      this.#newest = { key, readTime: now };
      this.#bytes.set(key.id, key.bytes);
    }
    return this.#newest.key;
  }

  /** The keys by their numbers, that of a token among them if there is one: what opens the token. */
  async keysFor(token: string): Promise<(id: number) => Uint8Array | undefined> {
    const id = sealedKeyId(token);
    if (id !== null && !this.#bytes.has(id)) {
      const bytes = await this.#source.bytesOf(id);
      if (bytes) this.#bytes.set(id, bytes);
    }
    return (key) => this.#bytes.get(key);
  }
}
