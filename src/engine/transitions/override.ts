// An operator's word that held work is gone.
import type { Instant } from "../../base/clock.ts";
import type { OverrideCommand, Refusal } from "../commands.ts";
import type { OperationRecord, ReceiptEvent } from "../operation.ts";
import { accept, refuse, type Transition } from "./change.ts";
import { confirmLate } from "./stop.ts";

/**
 * Frees what is held on an operator's word: evidence OPERATOR, said with its author on the receipt, if the operation has
 * one. Work that still has its lease is not for an operator to declare gone: it has a cancel, and a deadline.
 */
export function override(
  record: OperationRecord,
  command: OverrideCommand,
  now: Instant,
): Transition | Refusal {
  if (record.held === null) return refuse(record, "NOT_HELD");
  const { requestedBy: by, onBehalfOf, requestId, reason: detail } = command;
  const event: ReceiptEvent = { time: now, kind: "OVERRIDDEN", detail, by, onBehalfOf, requestId };
  const freed = confirmLate(record, now, { evidence: "OPERATOR", mechanism: "OVERRIDE" }, event);
  return accept(freed.record, freed.effects);
}
