// A full disk: the store is read-only until there is room again, and a reserve keeps deletes possible meanwhile.
import type { DatabaseSync } from "node:sqlite";
import { type Clock, type Instant, MICROS_PER_SECOND } from "../../base/clock.ts";
import { getRow, inTransaction, prepareRows } from "./database.ts";
import { ReserveFile } from "./reserve-file.ts";
import { sqliteFailure } from "./sqlite-failure.ts";
import type { ThreadEvent } from "./thread-messages.ts";

/** How often a refused commit may try the disk again. */
const PROBE_PERIOD: Instant = MICROS_PER_SECOND;

/** Free pages inside the database that count as room: 4 MiB. */
const FREE_PAGES = 1024;

interface RoomKeeperParts {
  folder: string;
  database: DatabaseSync;
  clock: Clock;
  tell(event: ThreadEvent): void;
}

export class RoomKeeper {
  readonly #parts: RoomKeeperParts;
  readonly #reserve: ReserveFile;
  #full = false;
  #lastProbe: Instant = 0;

  constructor(parts: RoomKeeperParts) {
    this.#parts = parts;
    this.#reserve = new ReserveFile(parts.folder);
  }

  /** True while the store is read-only. */
  get isFull(): boolean {
    return this.#full;
  }

  /** The database could not grow. */
  lost(): void {
    this.#lastProbe = this.#parts.clock.now();
    if (this.#full) return;
    this.#full = true;
    const line = `the disk of ${this.#parts.folder} is full: the server is read-only until there is room; delete still works`;
    this.#parts.tell({ type: "notice", line });
  }

  takeReserve(): void {
    if (!this.#full) this.#reserve.take();
  }

  /**
   * Makes the reserve's room usable. The log is written back into it at once: after that the log begins anew in the
   * room it already has, and deletes need no more. Without that, 122 deletes had used up 4 MiB.
   */
  releaseReserve(): void {
    if (!this.#reserve.release()) return;
    try {
      this.#parts.database.exec("PRAGMA wal_checkpoint(PASSIVE)");
    } catch (error) {
      if (sqliteFailure(error) !== "full") throw error;
    }
  }

  /**
   * Looks for room, at most once a second: enough to take the reserve again, or free pages in the database itself
   * (after a purge), and a commit that goes through. True if the store may write again.
   */
  isThereAgain(): boolean {
    const { clock, database, folder, tell } = this.#parts;
    const now = clock.now();
    if (now - this.#lastProbe < PROBE_PERIOD) return false;
    this.#lastProbe = now;
    if (!this.#reserve.take() && this.#freePages() < FREE_PAGES) return false;
    try {
      inTransaction(database, "IMMEDIATE", () =>
        database.exec("UPDATE meta SET last_instant = last_instant"),
      );
    } catch (error) {
      if (sqliteFailure(error) !== "full") throw error;
      this.#reserve.release();
      return false;
    }
    this.#full = false;
    tell({ type: "notice", line: `there is room again on the disk of ${folder}: the server takes writes` });
    return true;
  }

  #freePages(): number {
    return getRow<[number]>(prepareRows(this.#parts.database, "PRAGMA freelist_count"))?.[0] ?? 0;
  }
}
