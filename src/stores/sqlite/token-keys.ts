// The keys that seal page and resume tokens, in the database: every process of this folder opens what another sealed.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { type Instant, MICROS_PER_SECOND } from "../../base/clock.ts";
import { randomKey } from "../../base/random.ts";
import type { TokenKey } from "../sealed-token.ts";
import { getRow, prepareRows } from "./database.ts";
import { tokenKeys } from "./log-statements.ts";

const DAY: Instant = 24 * 3600 * MICROS_PER_SECOND;

/** How old the newest sealing key may be: random nonces of one key stay far below 2^32. */
const ROTATION: Instant = 7 * DAY;

/** How long a key outlives its last token: longer than page tokens live, and than the feed is kept. */
const AFTERLIFE: Instant = 14 * DAY;

const KEY_BYTES = 32;

type NewestRow = [id: number, bytes: Uint8Array, createTime: Instant];

/** Makes a new key when there is none or the newest is old, and drops keys whose last token has expired. Writer only. */
export function rotateTokenKeys(database: DatabaseSync, now: Instant): void {
  const newest = getRow<NewestRow>(prepareRows(database, tokenKeys.newest));
  if (newest && now - newest[2] < ROTATION) return;
  database.prepare(tokenKeys.insert).run(randomKey(KEY_BYTES), now);
  database.prepare(tokenKeys.deleteOld).run(now - ROTATION - AFTERLIFE);
}

/** Reads the keys; asks the database each time, so that a rotation is seen at once. */
export class TokenKeys {
  readonly #newest: StatementSync;
  readonly #byId: StatementSync;

  constructor(database: DatabaseSync) {
    this.#newest = prepareRows(database, tokenKeys.newest);
    this.#byId = prepareRows(database, tokenKeys.byId);
  }

  newest(): TokenKey {
    const row = getRow<NewestRow>(this.#newest);
    if (!row) throw new Error("the database has no key for tokens");
    return { id: row[0], bytes: row[1] };
  }

  bytesOf(id: number): Uint8Array | undefined {
    return getRow<[Uint8Array]>(this.#byId, id)?.[0];
  }
}
