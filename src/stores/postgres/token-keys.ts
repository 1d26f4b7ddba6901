// The keys that seal page and resume tokens, in the database: every node opens what another sealed.
import type { Clock, Instant } from "../../base/clock.ts";
import { randomKey } from "../../base/random.ts";
import { KEY_AFTERLIFE, KEY_ROTATION } from "../retention-periods.ts";
import type { TokenKey } from "../sealed-token.ts";
import type { TokenKeySource } from "../token-keyring.ts";
import type { Queryable } from "./queryable.ts";
import { statement } from "./statements-read.ts";

const KEY_BYTES = 32;

const newestKey = statement(
  "token_key_newest",
  "SELECT id, bytes FROM keys WHERE purpose = 'page-token' ORDER BY id DESC LIMIT 1",
);
const keyBytes = statement(
  "token_key_bytes",
  "SELECT bytes FROM keys WHERE purpose = 'page-token' AND id = $1",
);
// Two nodes at once may each make one: both seal and open, and the one with the higher number is the newest for all.
const makeKey = statement(
  "token_key_make",
  `INSERT INTO keys (purpose, bytes, create_time) SELECT 'page-token', $1, $2
    WHERE NOT EXISTS (SELECT 1 FROM keys WHERE purpose = 'page-token' AND create_time > $3)`,
);
const dropKeys = statement(
  "token_key_drop",
  "DELETE FROM keys WHERE purpose = 'page-token' AND create_time < $1",
);

export class TokenKeys implements TokenKeySource {
  readonly #database: Queryable;
  readonly #clock: Clock;

  constructor(database: Queryable, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  async newest(): Promise<TokenKey> {
    const found = await this.#newest();
    if (found) return found;
    await this.#make(this.#clock.now());
    const made = await this.#newest();
    if (!made) throw new Error("the database has no key for tokens");
    return made;
  }

  async bytesOf(id: number): Promise<Uint8Array | undefined> {
    const [row] = await this.#database.rows<[Uint8Array]>(keyBytes, [id]);
    return row?.[0];
  }

  /** Makes a new key when there is none or the newest is old, and drops keys whose last token has expired. */
  async rotate(): Promise<void> {
    const now = this.#clock.now();
    await this.#make(now);
    await this.#database.rows(dropKeys, [now - KEY_ROTATION - KEY_AFTERLIFE]);
  }

  async #newest(): Promise<TokenKey | undefined> {
    const [row] = await this.#database.rows<[number, Uint8Array]>(newestKey);
    return row && { id: row[0], bytes: row[1] };
  }

  async #make(now: Instant): Promise<void> {
    await this.#database.rows(makeKey, [randomKey(KEY_BYTES), now, now - KEY_ROTATION]);
  }
}
