// Which table of a SQLite data folder becomes which of PostgreSQL. Most are the same, column by column; what differs is here,
// and a column that is in neither list stops the move: nothing is left behind unsaid.

export interface MovedTable {
  name: string;
  /** The view of SQLite that has its rows in this form. */
  from?: string;
  /** Columns that only PostgreSQL has, or whose values change: an expression over the SQLite row. */
  made?: Readonly<Record<string, string>>;
  /** Columns of SQLite that are rows of other tables in PostgreSQL. */
  elsewhere?: readonly string[];
  /** The column whose numbers the database gives out. */
  identity?: string;
  /** The order in which rows are written, where a trigger asks for one. */
  orderBy?: string;
  /** Rows read at once, where they are large. Default 1,000. */
  rowsAtOnce?: number;
}

/** The lease of a worker that lived in the server: it had none, and is over. As long as the one it would have now. */
const EMBEDDED_LEASE_MS = 15_000;

/** In an order in which they can be read by people: the copy is one transaction. */
export const movedTables: readonly MovedTable[] = [
  {
    name: "operations",
    // What PostgreSQL may keep in the operation's row stays in rows of its own: both are read.
    made: { version: "1", empty_response: "NULL", end_session: "NULL" },
    // What all_payloads and all_attempts make rows of.
    elsewhere: ["response_type_url", "response_bytes", "ended_session"],
  },
  { name: "payloads", from: "all_payloads", rowsAtOnce: 40 },
  { name: "attempts", from: "all_attempts" },
  { name: "labels" },
  { name: "request_keys" },
  { name: "child_links", identity: "position" },
  { name: "slots" },
  {
    name: "sessions",
    // Several nodes share the database, so every lease has a time: what the stopped server's own workers held is settled
    // by whichever node starts first.
    made: { lease_ms: `CASE WHEN kind = 'embedded' THEN ${EMBEDDED_LEASE_MS} ELSE lease_ms END`, node: "''" },
  },
  { name: "declared_types" },
  { name: "receipts", rowsAtOnce: 40 },
  { name: "receipt_events", identity: "position" },
  { name: "chain_entries", orderBy: "service, tenant, sequence" },
  { name: "chain_checkpoints" },
  { name: "audit", from: "audit_entries", identity: "position" },
  // With their numbers: page tokens and resume tokens that clients hold go on working.
  { name: "keys", identity: "id" },
];

/** Tables of SQLite that are moved in another form (meta, feed), or that PostgreSQL counts instead (live_counts). */
export const otherTables: readonly string[] = ["meta", "feed", "live_counts"];
