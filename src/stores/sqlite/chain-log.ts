// Receipt chains: which events wait for their place in one, and the entries. What an entry says and how it is hashed is
// the engine's (src/engine/receipts); here it is text.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { assert } from "../../base/assert.ts";
import type { Instant } from "../../base/clock.ts";
import type { ReceiptEvent } from "../../engine/operation.ts";
import type { ChainCheckpoint, ChainEntry, Store, UnchainedEvent } from "../../engine/store.ts";
import { allRows, getRow, inTransaction, prepareRows } from "./database.ts";
import { chain } from "./log-statements.ts";

type EntryRow = [
  service: string,
  tenant: string,
  sequence: number,
  name: string,
  content: string,
  hash: string,
];
type CheckpointRow = [string, string, number, string, Instant, string, string];
type UnchainedRow = [number, string, string, string, string, ...ReceiptEventRow];

/** A receipt's event as columns: time, kind, detail, by, on_behalf_of, request_id. */
export type ReceiptEventRow = [Instant, string, string, string, string | null, string | null];

/** The event of its columns. */
export function rowToReceiptEvent(row: ReceiptEventRow): ReceiptEvent {
  const [time, kind, detail, by, onBehalfOf, requestId] = row;
  return {
    time,
    kind: kind as ReceiptEvent["kind"],
    detail,
    by,
    ...(onBehalfOf === null ? {} : { onBehalfOf }),
    ...(requestId === null ? {} : { requestId }),
  };
}

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
    return allRows<UnchainedRow>(this.#unchained, limit).map(
      ([position, service, tenant, name, type, ...event]) => ({
        position,
        service,
        tenant,
        name,
        type,
        event: rowToReceiptEvent(event),
      }),
    );
  }

  head(service: string, tenant: string): ChainEntry | undefined {
    const row = getRow<EntryRow>(this.#head, service, tenant);
    return row && rowToEntry(row);
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
    const entries = allRows<EntryRow>(this.#entries, service, tenant, after, limit).map(rowToEntry);
    const last = entries.at(-1)?.sequence ?? after;
    const checkpoints = allRows<CheckpointRow>(this.#checkpoints, service, tenant, after, last);
    return { entries, checkpoints: checkpoints.map(rowToCheckpoint) };
  }
}

function rowToEntry([service, tenant, sequence, name, content, hash]: EntryRow): ChainEntry {
  return { service, tenant, sequence, name, content, hash };
}

function rowToCheckpoint(row: CheckpointRow): ChainCheckpoint {
  const [service, tenant, sequence, hash, time, keyId, signature] = row;
  return { service, tenant, sequence, hash, time, keyId, signature };
}
