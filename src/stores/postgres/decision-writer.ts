// A decision as the statements that write it, in their order. What a batch does not have makes no statement.
import { assert } from "../../base/assert.ts";
import type { Instant } from "../../base/clock.ts";
import { type Decision, type FeedEvent, keyText, slotText } from "../../engine/decision.ts";
import type { OperationRecord, PayloadKind } from "../../engine/operation.ts";
import { derivedColumns, recordToRow, type SqlValue, statusToJson } from "../operation-rows.ts";
import { sessionToRow } from "../session-rows.ts";
import { changedRow } from "./changing-columns.ts";
import type { RowStatement } from "./commit-rows.ts";
import * as statements from "./commit-statements.ts";
import { kinSteps } from "./decision-kin.ts";
import { receiptSteps } from "./decision-receipts.ts";
import { EndedInRow, endsHere } from "./ended-in-row.ts";
import { compareText, keyRow, sortedKeys } from "./key-rows.ts";
import type { Step } from "./postgres-burst.ts";
import { type ColumnType, columnArray } from "./postgres-values.ts";
import type { BindValue } from "./queryable.ts";
import type { LoadedReadSet } from "./read-set.ts";

type Row = readonly SqlValue[];

/** The steps of a decision; empty where it writes nothing. The feed's, if there is one, is the last. */
export function decisionSteps(decision: Decision, loaded: LoadedReadSet, now: Instant): Step[] {
  // First: whoever closes a session, or takes it, locks it before its operations.
  const steps = checkSteps(loaded);
  const add = (statement: RowStatement, rows: readonly Row[], ...more: SqlValue[]): void => {
    if (rows.length > 0) steps.push(statement.step(rows, more));
  };
  const inserted = decision.inserted.map(({ record }) => record);
  const hasKin = [...inserted, ...decision.updated].some(
    ({ parents, children }) => parents.length > 0 || children !== null,
  );
  // Nodes that write the same family lock it in one order; without kin two batches share no two operations for long.
  if (hasKin && loaded.isFromMemory) add(statements.lockOperations, sortedKeys(decision.updated).map(keyRow));
  add(
    statements.insertOperations,
    inserted.map((record) => [...recordToRow(record), ...derivedColumns(record), 1]),
  );
  add(
    statements.insertLabels,
    decision.inserted.flatMap(({ record, labels }) =>
      Object.entries(labels).map(([key, value]) => [...keyRow(record), key, value]),
    ),
  );
  const inRow = new EndedInRow(decision, loaded);
  steps.push(...updateSteps(decision, loaded, inRow));
  if (hasKin) steps.push(...kinSteps(decision, loaded));
  add(
    statements.insertPayloads,
    payloadRows(inRow.payloads, (kind) => kind !== "checkpoint"),
  );
  add(
    statements.putCheckpoints,
    payloadRows(inRow.payloads, (kind) => kind === "checkpoint"),
  );
  add(statements.insertAttempts, attemptRows(inRow.attempts));
  steps.push(...receiptSteps(decision, loaded));
  add(
    statements.insertRequestKeys,
    decision.requestKeys.map(({ service, tenant, method, requestId, digest, name }) => [
      service,
      tenant,
      method,
      requestId,
      digest,
      name,
    ]),
  );
  steps.push(...sessionSteps(decision), ...slotSteps(decision, loaded));
  add(
    statements.insertAudits,
    decision.audits.map((entry) => [
      ...keyRow(entry),
      entry.time,
      entry.action,
      entry.principal,
      entry.origin,
      entry.reason,
      entry.revisionBefore,
      entry.revisionAfter,
    ]),
  );
  if (decision.events.length > 0) steps.push(feedStep(decision, loaded, now));
  return steps;
}

function checkSteps({ rememberedSessions }: LoadedReadSet): Step[] {
  const rows = [...rememberedSessions.values()].map(({ session, node = null }) => [session, node]);
  return rows.length === 0 ? [] : [statements.checkSessions.step(rows, [rows.length])];
}

/** Every update is a compare-and-set on the version that was read. What was only read from memory is compared, too. */
function updateSteps(decision: Decision, loaded: LoadedReadSet, inRow: EndedInRow): Step[] {
  const ended: Row[] = [];
  const changed: Row[] = [];
  const written = new Set<string>();
  for (const record of sortedKeys(decision.updated)) {
    const text = keyText(record);
    const before = loaded.operations.get(text);
    const version = loaded.versions.get(text);
    assert(before !== undefined && version !== undefined, "an updated operation is in the read set");
    written.add(text);
    const row = changedRow(record, version);
    if (endsHere(before, record)) {
      row.push(...inRow.valuesOf(text));
      ended.push(row);
    } else changed.push(row);
  }
  const unwritten: Row[] = [];
  for (const text of loaded.remembered) {
    const record = loaded.operations.get(text);
    const version = loaded.versions.get(text);
    if (record && version !== undefined && !written.has(text)) unwritten.push([...keyRow(record), version]);
  }
  return [
    ...(changed.length > 0 ? [statements.changeOperations.step(changed, [changed.length])] : []),
    ...(ended.length > 0 ? [statements.finishOperations.step(ended, [ended.length])] : []),
    ...(unwritten.length > 0 ? [statements.checkOperations.step(unwritten, [unwritten.length])] : []),
  ];
}

/** The last one of each kind: a statement takes a row once. */
function payloadRows(payloads: Decision["payloads"], isWanted: (kind: PayloadKind) => boolean): Row[] {
  const rows = new Map<string, Row>();
  for (const write of payloads) {
    const { kind, payload } = write;
    if (isWanted(kind))
      rows.set(`${keyText(write)}\n${kind}`, [...keyRow(write), kind, payload.typeUrl, payload.bytes]);
  }
  return [...rows.values()];
}

function attemptRows(attempts: Decision["attempts"]): Row[] {
  return attempts.map(({ attempt, ...key }) => {
    const { session, startTime, endTime, outcome } = attempt;
    const error = attempt.error === null ? null : statusToJson(attempt.error);
    return [...keyRow(key), attempt.attempt, session, startTime, endTime, outcome, error];
  });
}

function sessionSteps({ sessionsOpened, sessionsBeaten, sessionsClosed }: Decision): Step[] {
  const steps: Step[] = [];
  if (sessionsOpened.length > 0) steps.push(statements.putSessions.step(sessionsOpened.map(sessionToRow)));
  if (sessionsBeaten.length > 0) {
    const rows = sessionsBeaten.map(({ session, heartbeatTime, node = null }) => [
      session,
      heartbeatTime,
      node,
    ]);
    steps.push(statements.beatSessions.step(rows));
  }
  if (sessionsClosed.length > 0)
    steps.push({ statement: statements.deleteSessions, values: [sessionsClosed] });
  return steps;
}

/**
 * Slots are written as differences: what only frees one need not know how many others use it. What was loaded is locked,
 * so that nobody takes the last slot twice.
 */
function slotSteps({ slots }: Decision, loaded: LoadedReadSet): Step[] {
  const changes = slots.map((slot) => ({
    slot,
    change: slot.used - (loaded.slots.get(slotText(slot)) ?? 0),
  }));
  const rowsOf = (wanted: (change: number) => boolean): Row[] =>
    changes
      .filter(({ change }) => wanted(change))
      .map(({ slot, change }) => [slot.service, slot.tenant, slot.type, slot.concurrencyKey, change])
      .toSorted((a, b) => compareText(a.join("\n"), b.join("\n")));
  const [taken, left] = [rowsOf((change) => change > 0), rowsOf((change) => change < 0)];
  const unused = [
    ...rowsOf((change) => change <= 0),
    ...loaded.lockedSlots.filter(({ used }) => used === 0).map(({ row }) => row),
  ];
  const steps: Step[] = [];
  if (taken.length > 0) steps.push(statements.takeSlots.step(taken));
  if (left.length > 0) steps.push(statements.leaveSlots.step(left, [left.length]));
  if (unused.length > 0) steps.push(statements.dropSlots.step(unused.map((row) => row.slice(0, 4))));
  return steps;
}

/** The feed's row of the batch: a column that is alike in all events has one element. */
function feedStep({ events, inserted, updated }: Decision, loaded: LoadedReadSet, now: Instant): Step {
  const last = new Map<string, OperationRecord>(
    [...inserted.map(({ record }) => record), ...updated].map((record) => [keyText(record), record]),
  );
  const records = events.map((event) => last.get(keyText(event)) ?? loaded.operations.get(keyText(event)));
  const shared = (type: ColumnType, of: (event: FeedEvent, index: number) => SqlValue): BindValue => {
    const values = events.map(of);
    const [first = null] = values;
    return columnArray(type, values.every((value) => value === first) ? [first] : values);
  };
  return {
    statement: statements.insertFeed,
    values: [
      events.length,
      now,
      shared("text", ({ service }) => service),
      shared("text", ({ tenant }) => tenant),
      columnArray(
        "text",
        events.map(({ name }) => name),
      ),
      shared("text", (_, index) => records[index]?.type ?? ""),
      shared("bigint", ({ revision }) => revision),
      shared("text", ({ state }) => state),
      shared("bigint", ({ time }) => time),
      shared("smallint", (_, index) => (records[index]?.deleteTime == null ? 0 : 1)),
    ],
  };
}
