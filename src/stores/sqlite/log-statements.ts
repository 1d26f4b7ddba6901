// The SQL of what only grows and is cleared by time: retention, the feed, receipt chains, the keys of tokens.
// No statement holds a byte of a user's: everything is bound.

const THIS_OPERATION = "service = ? AND tenant = ? AND name = ?";

function oldest(log: "feed" | "audit"): string {
  return `DELETE FROM ${log} WHERE position < (SELECT min(position) FROM ${log}) + ? AND time < ?`;
}

/** Retention. Work that may still run (`held`) keeps its operation. */
export const purge = {
  expired: `SELECT service, tenant, name FROM operations INDEXED BY operations_expire
    WHERE expire_time <= ? AND held_session IS NULL ORDER BY expire_time LIMIT ?`,
  /** Only on a full disk: what clients deleted goes before its retention has passed. */
  deleted: `SELECT service, tenant, name FROM operations INDEXED BY operations_deleted
    WHERE delete_time IS NOT NULL AND done_time IS NOT NULL AND held_session IS NULL ORDER BY delete_time LIMIT ?`,
  keepCheckpoint: `UPDATE receipts SET checkpoint_type_url = c.type_url, checkpoint_bytes = c.bytes,
      checkpoint_encoding = c.encoding, checkpoint_key_id = c.key_id
    FROM payloads c
    WHERE receipts.service = ?1 AND receipts.tenant = ?2 AND receipts.name = ?3
      AND c.service = ?1 AND c.tenant = ?2 AND c.name = ?3 AND c.kind = 'checkpoint'`,
  /** Payloads, attempts, labels and request keys go with it. */
  operation: `DELETE FROM operations WHERE ${THIS_OPERATION}`,
  /**
   * Positions are in the order of time, so the oldest rows are looked at and nothing is searched for: those of so many
   * events, and of one batch more.
   */
  feed: oldest("feed"),
  /** What a watch that resumes earlier has missed; also when nothing is left. */
  noteFeedRemoved: `UPDATE meta SET feed_removed = coalesce(
    (SELECT position - count FROM feed ORDER BY position LIMIT 1), (SELECT seq FROM sqlite_sequence WHERE name = 'feed'), 0)`,
  audit: oldest("audit"),
  /** Only those of which every event is in its chain. */
  receipts: `DELETE FROM receipts WHERE (service, tenant, name) IN
    (SELECT t.service, t.tenant, t.name FROM receipts t INDEXED BY receipts_done
      WHERE t.done_time < ?
        AND NOT EXISTS (SELECT 1 FROM operations o
          WHERE o.service = t.service AND o.tenant = t.tenant AND o.name = t.name)
        AND NOT EXISTS (SELECT 1 FROM receipt_events e
          WHERE e.service = t.service AND e.tenant = t.tenant AND e.name = t.name AND e.chained = 0)
      ORDER BY t.done_time LIMIT ?)`,
} as const;

/** The feed, in commit order: positions are given inside the transaction, and there is one writer. */
export const readFeed = {
  bounds: `SELECT feed_removed, coalesce((SELECT max(position) FROM feed), feed_removed) FROM meta`,
  /** After ?1, up to the row that has ?2: the position before a row's first event, and its events. */
  events: `SELECT position - count, events FROM feed
    WHERE position > ?1 AND position <= coalesce((SELECT position FROM feed WHERE position >= ?2 ORDER BY position LIMIT 1), ?2)
      AND service = ?3 AND tenant = ?4 ORDER BY position`,
} as const;

export const chain = {
  unchained: `SELECT e.position, e.service, e.tenant, e.name, r.type, e.time, e.kind, e.detail, e.by, e.on_behalf_of, e.request_id
    FROM receipt_events e INDEXED BY receipt_events_unchained
    JOIN receipts r ON r.service = e.service AND r.tenant = e.tenant AND r.name = e.name
    WHERE e.chained = 0 ORDER BY e.position LIMIT ?`,
  head: `SELECT service, tenant, sequence, name, content, hash FROM chain_entries
    WHERE service = ? AND tenant = ? ORDER BY sequence DESC LIMIT 1`,
  append:
    "INSERT INTO chain_entries (service, tenant, sequence, name, content, hash) VALUES (?, ?, ?, ?, ?, ?)",
  setChained: "UPDATE receipt_events SET chained = 1 WHERE position = ? AND chained = 0",
  checkpoint: `INSERT INTO chain_checkpoints (service, tenant, sequence, hash, time, key_id, signature)
    VALUES (?, ?, ?, ?, ?, ?, ?)`,
  entries: `SELECT service, tenant, sequence, name, content, hash FROM chain_entries
    WHERE service = ? AND tenant = ? AND sequence > ? ORDER BY sequence LIMIT ?`,
  checkpoints: `SELECT service, tenant, sequence, hash, time, key_id, signature FROM chain_checkpoints
    WHERE service = ? AND tenant = ? AND sequence > ? AND sequence <= ? ORDER BY sequence, key_id`,
} as const;

/** The keys that seal tokens. */
export const tokenKeys = {
  newest: "SELECT id, bytes, create_time FROM keys WHERE purpose = 'page-token' ORDER BY id DESC LIMIT 1",
  byId: "SELECT bytes FROM keys WHERE purpose = 'page-token' AND id = ?",
  insert: "INSERT INTO keys (purpose, bytes, create_time) VALUES ('page-token', ?, ?)",
  deleteOld: "DELETE FROM keys WHERE purpose = 'page-token' AND create_time < ?",
} as const;
