// Receipts with their events, and how long cancels took.
import type { OperationKey, StoredReceipt } from "../../engine/operation.ts";
import type { CancelHistory } from "../../engine/store.ts";
import { cancelHistoryOf, HISTORY_MAX } from "../cancel-history.ts";
import { type ReceiptEventRow, type ReceiptRow, rowToReceipt } from "../receipt-rows.ts";
import type { Queryable } from "./queryable.ts";
import { statement } from "./statements-read.ts";

// The checkpoint is still the operation's own until retention moves it into the receipt.
const getReceipt = statement(
  "get_receipt",
  `SELECT t.type, t.cancel, t.outcome, t.done_time, t.attempt, t.session,
      coalesce(t.checkpoint_type_url, c.type_url), coalesce(t.checkpoint_bytes, c.bytes),
      coalesce(t.checkpoint_encoding, c.encoding),
      (SELECT json_agg(json_build_array(e.time, e.kind, e.detail, e.by, e.on_behalf_of, e.request_id)
          ORDER BY e.sequence)
        FROM receipt_events e WHERE e.service = t.service AND e.tenant = t.tenant AND e.name = t.name)
    FROM receipts t
    LEFT JOIN LATERAL (SELECT p.type_url, p.bytes, p.encoding FROM payloads p
      WHERE p.service = t.service AND p.tenant = t.tenant AND p.name = t.name AND p.kind = 'checkpoint'
      LIMIT 1) c ON TRUE
    WHERE t.service = $1 AND t.tenant = $2 AND t.name = $3`,
);

const cancelDurations = statement(
  "cancel_durations",
  `SELECT stop_ms FROM receipts WHERE service = $1 AND tenant = $2 AND type = $3 AND stop_ms IS NOT NULL
    ORDER BY done_time DESC LIMIT ${HISTORY_MAX}`,
);

export async function readReceipt(
  database: Queryable,
  key: OperationKey,
): Promise<StoredReceipt | undefined> {
  if (key.name.includes("\0")) return undefined;
  const { service, tenant, name } = key;
  const [row] = await database.rows<[...ReceiptRow, events: string | null]>(getReceipt, [
    service,
    tenant,
    name,
  ]);
  if (!row) return undefined;
  const events = row.at(-1) as string | null;
  return rowToReceipt(
    key,
    row as unknown as ReceiptRow,
    events === null ? [] : (JSON.parse(events) as ReceiptEventRow[]),
  );
}

export async function readCancelHistory(
  database: Queryable,
  of: readonly [service: string, tenant: string, type: string],
): Promise<CancelHistory> {
  const rows = await database.rows<[number]>(cancelDurations, of);
  return cancelHistoryOf(rows.map(([ms]) => ms));
}
