// The keys that seal page tokens, in the database: every process of this folder opens what another sealed.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Instant } from "../../base/clock.ts";
import { randomKey } from "../../base/random.ts";
import { PAGE_TOKEN_KEY_ROTATION, PAGE_TOKEN_LIFETIME, type PageTokenKey } from "../page-token.ts";
import { getRow, prepareRows } from "./database.ts";
import { pageTokenKeys } from "./statements.ts";

const KEY_BYTES = 32;

type NewestRow = [id: number, bytes: Uint8Array, createTime: Instant];

/** Makes a new key when there is none or the newest is old, and drops keys whose last token has expired. Writer only. */
export function rotatePageTokenKeys(database: DatabaseSync, now: Instant): void {
  const newest = getRow<NewestRow>(prepareRows(database, pageTokenKeys.newest));
  if (newest && now - newest[2] < PAGE_TOKEN_KEY_ROTATION) return;
  database.prepare(pageTokenKeys.insert).run(randomKey(KEY_BYTES), now);
  database.prepare(pageTokenKeys.deleteOld).run(now - PAGE_TOKEN_KEY_ROTATION - 2 * PAGE_TOKEN_LIFETIME);
}

/** Reads the keys; asks the database each time, so that a rotation is seen at once. */
export class PageTokenKeys {
  readonly #newest: StatementSync;
  readonly #byId: StatementSync;

  constructor(database: DatabaseSync) {
    this.#newest = prepareRows(database, pageTokenKeys.newest);
    this.#byId = prepareRows(database, pageTokenKeys.byId);
  }

  newest(): PageTokenKey {
    const row = getRow<NewestRow>(this.#newest);
    if (!row) throw new Error("the database has no key for page tokens");
    return { id: row[0], bytes: row[1] };
  }

  bytesOf(id: number): Uint8Array | undefined {
    return getRow<[Uint8Array]>(this.#byId, id)?.[0];
  }
}
