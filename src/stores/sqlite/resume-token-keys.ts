// The keys of resume tokens on the main thread: a watch seals one for each of its messages, so they are kept at hand.
import { type Clock, type Instant, MICROS_PER_SECOND } from "../../base/clock.ts";
import { openResumeToken, type ResumeScope } from "../resume-token.ts";
import { sealedKeyId, type TokenKey } from "../sealed-token.ts";
import type { ThreadClient } from "./thread-client.ts";
import type { ReaderCalls } from "./thread-messages.ts";

type Reader = ThreadClient<ReaderCalls>;

/** How long the newest key counts as the newest: it is replaced once a week, and old ones live on for weeks. */
const NEWEST_PERIOD: Instant = 3600 * MICROS_PER_SECOND;

export class ResumeTokenKeys {
  readonly #clock: Clock;
  readonly #reader: () => Promise<Reader>;
  readonly #bytes = new Map<number, Uint8Array>();
  #newest: { key: TokenKey; readTime: Instant } | null = null;

  constructor(clock: Clock, reader: () => Promise<Reader>) {
    this.#clock = clock;
    this.#reader = reader;
  }

  async newest(): Promise<TokenKey> {
    const now = this.#clock.now();
    if (this.#newest === null || now - this.#newest.readTime > NEWEST_PERIOD) {
      const reader = await this.#reader();
      const key = await reader.call("newestTokenKey");
      this.#newest = { key, readTime: now };
      this.#bytes.set(key.id, key.bytes);
    }
    return this.#newest.key;
  }

  /** The position in a token; throws INVALID_RESUME_TOKEN. */
  async open(token: string, scope: ResumeScope): Promise<number> {
    const id = sealedKeyId(token);
    if (id !== null && !this.#bytes.has(id)) {
      const reader = await this.#reader();
      const bytes = await reader.call("tokenKeyBytes", id);
      if (bytes) this.#bytes.set(id, bytes);
    }
    return openResumeToken(token, (key) => this.#bytes.get(key), scope);
  }
}
