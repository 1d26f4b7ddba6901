// A decision as the statements that write it, in their order. What a batch does not have makes no statement.
import { assert } from "../../base/assert.ts";
import type { Instant } from "../../base/clock.ts";
import { type Decision, keyText, slotText } from "../../engine/decision.ts";
import type { OperationRecord, PayloadKind } from "../../engine/operation.ts";
import { derivedColumns, recordToRow, type SqlValue, statusToJson } from "../operation-rows.ts";
import { sessionToRow } from "../session-rows.ts";
import type { RowStatement } from "./commit-rows.ts";
import * as statements from "./commit-statements.ts";
import { kinSteps } from "./decision-kin.ts";
import { receiptSteps } from "./decision-receipts.ts";
import { EndedInRow, endsHere } from "./ended-in-row.ts";
import { compareText, keyRow, sortedKeys } from "./key-rows.ts";
import type { Step } from "./postgres-burst.ts";
import { columnArray } from "./postgres-values.ts";
import type { LoadedReadSet } from "./read-set.ts";

type Row = readonly SqlValue[];

/** The steps of a decision; empty where it writes nothing. The feed's, if there is one, is the last. */
export function decisionSteps(decision: Decision, loaded: LoadedReadSet, now: Instant): Step[] {
  const steps: Step[] = [];
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
    const all = [...recordToRow(record), ...derivedColumns(record)];
    const row = [...keyRow(record), version, ...statements.changingPlaces.map((place) => all[place] ?? null)];
    if (endsHere(before, record)) ended.push([...row, ...inRow.valuesOf(text)]);
    else changed.push(row);
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

function feedStep({ events, inserted, updated }: Decision, loaded: LoadedReadSet, now: Instant): Step {
  const last = new Map<string, OperationRecord>(
    [...inserted.map(({ record }) => record), ...updated].map((record) => [keyText(record), record]),
  );
  const records = events.map((event) => last.get(keyText(event)) ?? loaded.operations.get(keyText(event)));
  return {
    statement: statements.insertFeed,
    values: [
      events.length,
      now,
      columnArray(
        "text",
        events.map(({ service }) => service),
      ),
      columnArray(
        "text",
        events.map(({ tenant }) => tenant),
      ),
      columnArray(
        "text",
        events.map(({ name }) => name),
      ),
      columnArray(
        "text",
        records.map((record) => record?.type ?? ""),
      ),
      columnArray(
        "bigint",
        events.map(({ revision }) => revision),
      ),
      columnArray(
        "text",
        events.map(({ state }) => state),
      ),
      columnArray(
        "bigint",
        events.map(({ time }) => time),
      ),
      columnArray(
        "smallint",
        records.map((record) => (record?.deleteTime == null ? 0 : 1)),
      ),
    ],
  };
}
