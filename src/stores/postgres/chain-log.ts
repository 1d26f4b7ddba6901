// Receipt chains: which events wait for their place in one, and the entries. What an entry says and how it is hashed is
// the engine's (src/engine/receipts); here it is text.
import { assert } from "../../base/assert.ts";
import type { ChainEntry, Store, UnchainedEvent } from "../../engine/store.ts";
import {
  type ChainCheckpointRow,
  type ChainEntryRow,
  rowToChainCheckpoint,
  rowToChainEntry,
  rowToUnchained,
  type UnchainedRow,
} from "../receipt-rows.ts";
import type { PostgresConnections } from "./queryable.ts";
import { statement } from "./statements-read.ts";

const unchained = statement(
  "chain_unchained",
  `SELECT e.position, e.service, e.tenant, e.name, r.type, e.time, e.kind, e.detail, e.by, e.on_behalf_of, e.request_id
    FROM (SELECT * FROM receipt_events WHERE chained = 0 ORDER BY position LIMIT $1) e
    CROSS JOIN LATERAL (SELECT t.type FROM receipts t
      WHERE t.service = e.service AND t.tenant = e.tenant AND t.name = e.name LIMIT 1) r
    ORDER BY e.position`,
);

const ENTRY_COLUMNS = "service, tenant, sequence, name, content, hash";
const head = statement(
  "chain_head",
  `SELECT ${ENTRY_COLUMNS} FROM chain_entries WHERE service = $1 AND tenant = $2 ORDER BY sequence DESC LIMIT 1`,
);
const entriesAfter = statement(
  "chain_entries",
  `SELECT ${ENTRY_COLUMNS} FROM chain_entries WHERE service = $1 AND tenant = $2 AND sequence > $3
    ORDER BY sequence LIMIT $4`,
);
const CHECKPOINT_COLUMNS = "service, tenant, sequence, hash, time, key_id, signature";
const checkpointsBetween = statement(
  "chain_checkpoints",
  `SELECT ${CHECKPOINT_COLUMNS} FROM chain_checkpoints
    WHERE service = $1 AND tenant = $2 AND sequence > $3 AND sequence <= $4 ORDER BY sequence, key_id`,
);

// The primary key refuses a sequence that another node took meanwhile, a trigger one that leaves a gap.
const appendEntries = statement(
  "chain_append",
  `INSERT INTO chain_entries (${ENTRY_COLUMNS}) SELECT * FROM unnest(
    $1::TEXT[], $2::TEXT[], $3::BIGINT[], $4::TEXT[], $5::TEXT[], $6::TEXT[])`,
);
const setChained = statement(
  "chain_set_chained",
  `WITH changed AS (UPDATE receipt_events SET chained = 1 WHERE position = ANY ($1::BIGINT[]) AND chained = 0 RETURNING 1)
    SELECT count(*) FROM changed`,
);
const appendCheckpoints = statement(
  "chain_append_checkpoints",
  `INSERT INTO chain_checkpoints (${CHECKPOINT_COLUMNS}) SELECT * FROM unnest(
    $1::TEXT[], $2::TEXT[], $3::BIGINT[], $4::TEXT[], $5::BIGINT[], $6::TEXT[], $7::TEXT[])`,
);

export class ChainLog {
  readonly #database: PostgresConnections;

  constructor(database: PostgresConnections) {
    this.#database = database;
  }

  /**
   * The oldest events that no chain has yet. Those of one operation come in the order of their commits; between
   * operations, two nodes may have committed in another order than they took their positions. A later one then shows up
   * in front of what was chained already, and is chained after it: none is missed, since they are found by their flag.
   */
  async unchainedEvents(limit: number): Promise<readonly UnchainedEvent[]> {
    const rows = await this.#database.rows<UnchainedRow>(unchained, [limit]);
    return rows.map(rowToUnchained);
  }

  async head(service: string, tenant: string): Promise<ChainEntry | undefined> {
    const [row] = await this.#database.rows<ChainEntryRow>(head, [service, tenant]);
    return row && rowToChainEntry(row);
  }

  /** All or nothing; throws where a sequence is taken or leaves a gap, and where an event is chained already. */
  async append(...[entries, checkpoints]: Parameters<Store["appendChain"]>): Promise<void> {
    await this.#database.transaction(async (connection) => {
      if (entries.length > 0) {
        await connection.rows(appendEntries, [
          entries.map(({ service }) => service),
          entries.map(({ tenant }) => tenant),
          entries.map(({ sequence }) => sequence),
          entries.map(({ name }) => name),
          entries.map(({ content }) => content),
          entries.map(({ hash }) => hash),
        ]);
        const positions = entries.map(({ position }) => position);
        const [changed] = await connection.rows<[number]>(setChained, [positions]);
        assert(changed?.[0] === entries.length, "an event is chained once");
      }
      if (checkpoints.length > 0) {
        await connection.rows(appendCheckpoints, [
          checkpoints.map(({ service }) => service),
          checkpoints.map(({ tenant }) => tenant),
          checkpoints.map(({ sequence }) => sequence),
          checkpoints.map(({ hash }) => hash),
          checkpoints.map(({ time }) => time),
          checkpoints.map(({ keyId }) => keyId),
          checkpoints.map(({ signature }) => signature),
        ]);
      }
    });
  }

  /** Two statements: entries are only ever added, so no checkpoint of what the first one saw can go missing. */
  async read({
    service,
    tenant,
    after,
    limit,
  }: Parameters<Store["readChain"]>[0]): ReturnType<Store["readChain"]> {
    const rows = await this.#database.rows<ChainEntryRow>(entriesAfter, [service, tenant, after, limit]);
    const entries = rows.map(rowToChainEntry);
    const last = entries.at(-1)?.sequence ?? after;
    const checkpoints = await this.#database.rows<ChainCheckpointRow>(checkpointsBetween, [
      service,
      tenant,
      after,
      last,
    ]);
    return { entries, checkpoints: checkpoints.map(rowToChainCheckpoint) };
  }
}
