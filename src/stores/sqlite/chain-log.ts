// Receipt chains: which events wait for their place in one, and the entries. What an entry says and how it is hashed is
// the engine's (src/engine/receipts); here it is text.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { assert } from "../../base/assert.ts";
import type { ChainCheckpoint, ChainEntry, Store, UnchainedEvent } from "../../engine/store.ts";
import {
  type ChainCheckpointRow,
  type ChainEntryRow,
  rowToChainCheckpoint,
  rowToChainEntry,
  rowToUnchained,
  type UnchainedRow,
} from "../receipt-rows.ts";
import { allRows, getRow, inTransaction, prepareRows } from "./database.ts";
import { chain } from "./log-statements.ts";

/** The writer's side. */
export class ChainLog {
  readonly #database: DatabaseSync;
  readonly #unchained: StatementSync;
  readonly #head: StatementSync;
  readonly #append: StatementSync;
  readonly #setChained: StatementSync;
  readonly #checkpoint: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#unchained = prepareRows(database, chain.unchained);
    this.#head = prepareRows(database, chain.head);
    this.#append = database.prepare(chain.append);
    this.#setChained = database.prepare(chain.setChained);
    this.#checkpoint = database.prepare(chain.checkpoint);
  }

  /** The oldest events that no chain has yet. */
  unchained(limit: number): UnchainedEvent[] {
    return allRows<UnchainedRow>(this.#unchained, limit).map(rowToUnchained);
  }

  head(service: string, tenant: string): ChainEntry | undefined {
    const row = getRow<ChainEntryRow>(this.#head, service, tenant);
    return row && rowToChainEntry(row);
  }

  /** All or nothing; throws where a sequence is taken or leaves a gap, and where an event is chained already. */
  append(...[entries, checkpoints]: Parameters<Store["appendChain"]>): void {
    inTransaction(this.#database, "IMMEDIATE", () => {
      for (const { service, tenant, sequence, name, content, hash, position } of entries) {
        this.#append.run(service, tenant, sequence, name, content, hash);
        const { changes } = this.#setChained.run(position);
        assert(changes === 1, "an event is chained once");
      }
      for (const { service, tenant, sequence, hash, time, keyId, signature } of checkpoints) {
        this.#checkpoint.run(service, tenant, sequence, hash, time, keyId, signature);
      }
    });
  }
}

/** A reader's side. */
export class ChainReader {
  readonly #entries: StatementSync;
  readonly #checkpoints: StatementSync;

  constructor(database: DatabaseSync) {
    this.#entries = prepareRows(database, chain.entries);
    this.#checkpoints = prepareRows(database, chain.checkpoints);
  }

  /** Runs inside a read transaction. */
  read({ service, tenant, after, limit }: Parameters<Store["readChain"]>[0]): {
    entries: ChainEntry[];
    checkpoints: ChainCheckpoint[];
  } {
    const entries = allRows<ChainEntryRow>(this.#entries, service, tenant, after, limit).map(rowToChainEntry);
    const last = entries.at(-1)?.sequence ?? after;
    const checkpoints = allRows<ChainCheckpointRow>(this.#checkpoints, service, tenant, after, last);
    return { entries, checkpoints: checkpoints.map(rowToChainCheckpoint) };
  }
}
