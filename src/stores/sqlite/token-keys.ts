// The keys that seal page and resume tokens, in the database: every process of this folder opens what another sealed.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Instant } from "../../base/clock.ts";
import { randomKey } from "../../base/random.ts";
import { KEY_AFTERLIFE, KEY_ROTATION } from "../retention-periods.ts";
import type { TokenKey } from "../sealed-token.ts";
import { getRow, prepareRows } from "./database.ts";
import { tokenKeys } from "./log-statements.ts";

const KEY_BYTES = 32;

type NewestRow = [id: number, bytes: Uint8Array, createTime: Instant];

/** Makes a new key when there is none or the newest is old, and drops keys whose last token has expired. Writer only. */
export function rotateTokenKeys(database: DatabaseSync, now: Instant): void {
  const newest = getRow<NewestRow>(prepareRows(database, tokenKeys.newest));
  if (newest && now - newest[2] < KEY_ROTATION) return;
  database.prepare(tokenKeys.insert).run(randomKey(KEY_BYTES), now);
  database.prepare(tokenKeys.deleteOld).run(now - KEY_ROTATION - KEY_AFTERLIFE);
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
