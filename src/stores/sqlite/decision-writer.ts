// Writes a decision's rows. Runs inside the transaction that loaded its read set.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { assert } from "../../base/assert.ts";
import type { Instant } from "../../base/clock.ts";
import type { Decision, SessionRecord } from "../../engine/decision.ts";
import { keyText } from "../../engine/decision.ts";
import type { OperationRecord } from "../../engine/operation.ts";
import type { LoadedReadSet } from "./read-set.ts";
import {
  amendValues,
  derivedColumns,
  finishValues,
  holdValues,
  recordToRow,
  statusToJson,
  updateValues,
} from "./rows.ts";
import { commitWrites } from "./statements.ts";

type Prepared = Record<keyof typeof commitWrites, StatementSync>;

/** Prepared once per connection. */
export class DecisionWriter {
  readonly #run: Prepared;

  constructor(database: DatabaseSync) {
    const prepared = Object.entries(commitWrites).map(
      ([name, sql]) => [name, database.prepare(sql)] as const,
    );
    this.#run = Object.fromEntries(prepared) as Prepared;
  }

  /** Operations first: what belongs to them refers to their rows. */
  write(decision: Decision, loaded: LoadedReadSet, now: Instant): void {
    const run = this.#run;
    for (const { record, labels } of decision.inserted) {
      run.insertOperation.run(...recordToRow(record), ...derivedColumns(record));
      const { service, tenant, name } = record;
      for (const [key, value] of Object.entries(labels))
        run.insertLabel.run(service, tenant, name, key, value);
    }
    for (const record of decision.updated) this.#update(record, loaded);
    for (const { service, tenant, name, kind, payload } of decision.payloads) {
      run.putPayload.run(service, tenant, name, kind, payload.typeUrl, payload.bytes);
    }
    for (const { service, tenant, name, attempt } of decision.attempts) {
      const { session, startTime, endTime, outcome } = attempt;
      const error = attempt.error === null ? null : statusToJson(attempt.error);
      run.insertAttempt.run(
        service,
        tenant,
        name,
        attempt.attempt,
        session,
        startTime,
        endTime,
        outcome,
        error,
      );
    }
    this.#writeReceipts(decision, loaded);
    for (const { service, tenant, method, requestId, digest, name } of decision.requestKeys) {
      run.insertRequestKey.run(service, tenant, method, requestId, digest, name);
    }
    this.#writeSessions(decision);
    this.#writeLogs(decision);
    run.noteInstant.run(now, now);
  }

  #update(record: OperationRecord, loaded: LoadedReadSet): void {
    const before = loaded.operations.get(keyText(record));
    assert(before !== undefined, "an updated operation is in the read set");
    const { service, tenant, name } = record;
    const result =
      before.doneTime !== null
        ? this.#run.amendOperation.run(...amendValues(record), service, tenant, name)
        : record.doneTime !== null
          ? this.#run.finishOperation.run(...finishValues(record), service, tenant, name)
          : record.held?.token !== before.held?.token
            ? this.#run.holdOperation.run(...holdValues(record), service, tenant, name)
            : this.#run.updateOperation.run(...updateValues(record), service, tenant, name);
    assert(result.changes === 1, "an updated operation has one row");
    if (record.deleteTime !== before.deleteTime) {
      this.#run.deleteOperation.run(record.deleteTime, service, tenant, name);
    }
  }

  /** The head of a receipt follows its operation: every change of an operation that has a cancel is on it. */
  #writeReceipts(decision: Decision, loaded: LoadedReadSet): void {
    const records = [...decision.inserted.map(({ record }) => record), ...decision.updated];
    for (const record of records) {
      if (record.cancel === null) continue;
      const { service, tenant, name, type, cancel, doneTime, attempt } = record;
      const outcome = doneTime === null ? null : record.state;
      const lease = record.lease ?? record.held ?? loaded.operations.get(keyText(record))?.lease;
      const text = JSON.stringify(cancel);
      const head = [type, text, outcome, doneTime, attempt, lease?.session ?? ""] as const;
      this.#run.putReceipt.run(service, tenant, name, ...head);
    }
    for (const { service, tenant, name, event } of decision.receipts) {
      const { time, kind, detail, by } = event;
      this.#run.insertReceiptEvent.run(service, tenant, name, time, kind, detail, by);
    }
  }

  #writeSessions(decision: Decision): void {
    for (const session of decision.sessionsOpened) this.#run.putSession.run(...sessionValues(session));
    for (const { session, heartbeatTime } of decision.sessionsBeaten) {
      this.#run.beatSession.run(heartbeatTime, session);
    }
    for (const session of decision.sessionsClosed) this.#run.deleteSession.run(session);
  }

  #writeLogs(decision: Decision): void {
    for (const { service, tenant, name, revision, state, time } of decision.events) {
      this.#run.insertFeedEvent.run(service, tenant, name, revision, state, time);
    }
    for (const entry of decision.audits) {
      const { service, tenant, name, time, action, principal, origin, reason } = entry;
      const revisions = [entry.revisionBefore, entry.revisionAfter] as const;
      this.#run.insertAuditEntry.run(
        service,
        tenant,
        name,
        time,
        action,
        principal,
        origin,
        reason,
        ...revisions,
      );
    }
  }
}

function sessionValues(session: SessionRecord): (string | number)[] {
  const { kind, worker, types, slots, guarded, bootId, leaseMs, openTime, heartbeatTime } = session;
  const flag = guarded ? 1 : 0;
  const typesText = JSON.stringify(types);
  return [session.session, kind, worker, typesText, slots, flag, bootId, leaseMs, openTime, heartbeatTime];
}
