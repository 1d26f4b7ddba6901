// Writes a decision's rows. Runs inside the transaction that loaded its read set.
import type { DatabaseSync, StatementResultingChanges, StatementSync } from "node:sqlite";
import { assert } from "../../base/assert.ts";
import type { Instant } from "../../base/clock.ts";
import type { Decision } from "../../engine/decision.ts";
import { keyText } from "../../engine/decision.ts";
import {
  type AttemptRecord,
  isDone,
  nextTimer,
  type OperationKey,
  type OperationRecord,
  type ParentLink,
  type Payload,
  urgencyOf,
} from "../../engine/operation.ts";
import { isToldByRow } from "../ended-attempt.ts";
import { isAsUrgent, isClosed, pressingLinks } from "../kin-pressure.ts";
import {
  amendValues,
  derivedColumns,
  finishValues,
  holdValues,
  kinValues,
  recordToRow,
  statusToJson,
  stepValues,
  updateValues,
} from "../operation-rows.ts";
import { sessionToRow } from "../session-rows.ts";
import { commitWrites } from "./commit-statements.ts";
import type { LoadedReadSet } from "./read-set.ts";
import { ReceiptWriter } from "./receipt-writer.ts";

type Prepared = Record<keyof typeof commitWrites, StatementSync>;

/** Prepared once per connection. */
export class DecisionWriter {
  readonly #run: Prepared;
  readonly #receipts: ReceiptWriter;
  /** Of the decision that is written. */
  readonly #counted = new Map<string, { service: string; type: string; state: string; change: number }>();

  constructor(database: DatabaseSync) {
    const prepared = Object.entries(commitWrites).map(
      ([name, sql]) => [name, database.prepare(sql)] as const,
    );
    this.#run = Object.fromEntries(prepared) as Prepared;
    this.#receipts = new ReceiptWriter(database);
  }

  /** Operations first: what belongs to them refers to their rows. */
  write(decision: Decision, loaded: LoadedReadSet, now: Instant): void {
    const run = this.#run;
    for (const { record, labels } of decision.inserted) {
      run.insertOperation.run(...recordToRow(record), ...derivedColumns(record));
      const { service, tenant, name } = record;
      this.#count(record, 1);
      for (const [key, value] of Object.entries(labels))
        run.insertLabel.run(service, tenant, name, key, value);
    }
    const ends = endsOf(decision);
    for (const record of decision.updated) this.#update(record, loaded, ends);
    this.#writeKin(decision, loaded);
    this.#writeCounts();
    this.#writePayloads(decision, ends);
    this.#receipts.write(decision, loaded);
    for (const { service, tenant, method, requestId, digest, name } of decision.requestKeys) {
      run.insertRequestKey.run(service, tenant, method, requestId, digest, name);
    }
    this.#writeSessions(decision);
    this.#writeSlots(decision);
    this.#writeLogs(decision);
    // A heartbeat is one row, and its time is kept there.
    if (decision.outcomes.length !== decision.sessionsBeaten.length) run.noteInstant.run(now, now);
  }

  #writePayloads({ payloads, attempts }: Decision, ends: ReadonlyMap<string, End>): void {
    const run = this.#run;
    for (const write of payloads) {
      const { service, tenant, name, kind, payload } = write;
      if (kind === "response" && endOf(ends, write)?.response === payload) continue;
      run.putPayload.run(service, tenant, name, kind, payload.typeUrl, payload.bytes);
    }
    for (const write of attempts) {
      const { service, tenant, name, attempt } = write;
      if (attempt.outcome === "SUCCEEDED" && endOf(ends, write)?.attempt === attempt) continue;
      const { session, startTime, endTime, outcome } = attempt;
      const error = attempt.error === null ? null : statusToJson(attempt.error);
      const times = [startTime, endTime] as const;
      run.insertAttempt.run(service, tenant, name, attempt.attempt, session, ...times, outcome, error);
    }
  }

  #finish(record: OperationRecord, end: End | undefined): StatementResultingChanges {
    const { service, tenant, name } = record;
    const { response = null, attempt = null } = end ?? {};
    const inlined = [response?.typeUrl ?? null, response?.bytes ?? null, attempt?.session ?? null] as const;
    return this.#run.finishOperation.run(...finishValues(record), ...inlined, service, tenant, name);
  }

  #update(record: OperationRecord, loaded: LoadedReadSet, ends: ReadonlyMap<string, End>): void {
    const before = loaded.operations.get(keyText(record));
    assert(before !== undefined, "an updated operation is in the read set");
    const { service, tenant, name } = record;
    if (record.state !== before.state) {
      this.#count(before, -1);
      this.#count(record, 1);
    }
    if (hasKinChange(record, before)) {
      this.#run.kinOperation.run(...kinValues(record), nextTimer(record), service, tenant, name);
      if (hasOnlyKinChange(record, before)) return;
    }
    const result =
      before.doneTime !== null
        ? this.#run.amendOperation.run(...amendValues(record), service, tenant, name)
        : record.doneTime !== null
          ? this.#finish(record, endOf(ends, record))
          : record.held?.token !== before.held?.token
            ? this.#run.holdOperation.run(...holdValues(record), service, tenant, name)
            : isSameGrant(record, before)
              ? this.#run.stepOperation.run(...stepValues(record), service, tenant, name)
              : this.#run.updateOperation.run(...updateValues(record), service, tenant, name);
    assert(result.changes === 1, `S1, S5, S9, S11, S13: ${name} only goes forward, and not once it is done`);
    if (record.deleteTime !== before.deleteTime) {
      this.#run.deleteOperation.run(record.deleteTime, service, tenant, name);
    }
  }

  /** Notes a live operation that came (1) or went (-1). */
  #count({ service, type, state }: OperationRecord, change: number): void {
    if (isDone(state)) return;
    const text = `${service}\n${type}\n${state}`;
    const known = this.#counted.get(text);
    if (known) known.change += change;
    else this.#counted.set(text, { service, type, state, change });
  }

  /** Few rows for a whole batch: an index over the states would cost each operation a row at each change. */
  #writeCounts(): void {
    for (const { service, type, state, change } of this.#counted.values()) {
      if (change !== 0) this.#run.countLive.run(service, type, state, change);
    }
    this.#counted.clear();
  }

  /** Links of children to parents, and which of them the sweep must tell. After all rows: it reads their last state. */
  #writeKin(decision: Decision, loaded: LoadedReadSet): void {
    const records = [...decision.inserted.map(({ record }) => record), ...decision.updated];
    const kin = records.filter(({ parents, children }) => parents.length > 0 || children !== null);
    if (kin.length === 0) return;
    const written = new Map(kin.map((record) => [keyText(record), record]));
    const befores = new Map(kin.map((record) => [record, loaded.operations.get(keyText(record))]));
    for (const [record, before] of befores) this.#linkParents(record, before?.parents ?? []);
    for (const [record, before] of befores) {
      if (!isClosed(record)) continue;
      const { service, tenant, name, parents, children } = record;
      const { force, graceEndTime } = urgencyOf(record);
      if (children !== null && !(before && isClosed(before) && isAsUrgent(before, record)))
        this.#run.closeParent.run(tenant, service, name, force ? 1 : 0, graceEndTime);
      if (parents.length === 0) continue;
      this.#run.sweptChild.run(service, tenant, name);
      // Told by one parent, and pressed by another: the ancestors are in the read set, or in what is written.
      for (const link of pressingLinks(record, (key) => written.get(key) ?? loaded.operations.get(key)))
        this.#run.pressedChild.run(tenant, link.service, link.name, service, name);
    }
  }

  #linkParents({ service, tenant, name, parents }: OperationRecord, before: readonly ParentLink[]): void {
    for (const [index, link] of parents.entries()) {
      const known = before[index];
      if (
        known &&
        known.name === link.name &&
        known.service === link.service &&
        known.detached === link.detached
      ) {
        continue;
      }
      const { policy, detached } = link;
      this.#run.putChildLink.run(tenant, link.service, link.name, service, name, policy, detached ? 1 : 0);
    }
  }

  #writeSlots({ slots }: Decision): void {
    for (const { service, tenant, type, concurrencyKey, used } of slots) {
      if (used === 0) this.#run.freeSlot.run(service, tenant, type, concurrencyKey);
      else this.#run.putSlot.run(service, tenant, type, concurrencyKey, used);
    }
  }

  #writeSessions(decision: Decision): void {
    for (const session of decision.sessionsOpened) this.#run.putSession.run(...sessionToRow(session));
    for (const { session, heartbeatTime, node = null } of decision.sessionsBeaten) {
      this.#run.beatSession.run(heartbeatTime, node, session);
    }
    for (const session of decision.sessionsClosed) this.#run.deleteSession.run(session);
  }

  #writeLogs({ events, audits }: Decision): void {
    for (const [{ service, tenant }, some] of byTenant(events)) {
      const rows = some.map(({ name, revision, state, time }) => [name, revision, state, time]);
      this.#run.insertFeed.run(some.length, service, tenant, some.at(-1)?.time ?? 0, JSON.stringify(rows));
    }
    for (const [{ service, tenant, time }, some] of byTenant(audits)) {
      const rows = some.map(({ name, action, principal, origin, reason, revisionBefore, revisionAfter }) => [
        name,
        action,
        principal,
        origin,
        reason,
        revisionBefore,
        revisionAfter,
      ]);
      this.#run.insertAudit.run(some.length, service, tenant, time, JSON.stringify(rows));
    }
  }
}

/** What the row of an operation that ends has of its other rows. */
interface End {
  record: OperationRecord;
  response: Payload | null;
  attempt: AttemptRecord | null;
}

/** A response up to this goes into the operation's own row; the column has the same limit. */
const INLINE_BYTES_MAX = 1024;

/**
 * The small responses, and the attempts that succeeded, of operations that had a row before the batch; by name, whose hash
 * is known, where a key's text would be made anew. Of two that have it in different tenants, the last.
 */
function endsOf({ updated, payloads, attempts }: Decision): Map<string, End> {
  const ends = new Map<string, End>();
  if (payloads.length === 0 && attempts.length === 0) return ends;
  for (const record of updated) {
    if (record.state === "SUCCEEDED") ends.set(record.name, { record, response: null, attempt: null });
  }
  for (const write of payloads) {
    const { kind, payload } = write;
    const end = kind === "response" ? endOf(ends, write) : undefined;
    if (end && payload.bytes.byteLength <= INLINE_BYTES_MAX) end.response = payload;
  }
  for (const write of attempts) {
    const end = write.attempt.outcome === "SUCCEEDED" ? endOf(ends, write) : undefined;
    if (end && isToldByRow(end.record, write.attempt)) end.attempt = write.attempt;
  }
  return ends;
}

function endOf(ends: ReadonlyMap<string, End>, { service, tenant, name }: OperationKey): End | undefined {
  const end = ends.get(name);
  return end?.record.service === service && end.record.tenant === tenant ? end : undefined;
}

/** A batch's lines by service and tenant, in their order; with the first of each. Most often all are of one. */
function byTenant<Line extends OperationKey>(lines: readonly Line[]): (readonly [Line, readonly Line[]])[] {
  const [first] = lines;
  if (first === undefined) return [];
  const isOfFirst = ({ service, tenant }: Line): boolean =>
    service === first.service && tenant === first.tenant;
  if (lines.every(isOfFirst)) return [[first, lines]];
  return [...Map.groupBy(lines, ({ service, tenant }) => `${service}\n${tenant}`).values()].flatMap((some) =>
    some[0] === undefined ? [] : [[some[0], some] as const],
  );
}

function hasKinChange(record: OperationRecord, before: OperationRecord): boolean {
  return (
    record.watchDeadline !== before.watchDeadline ||
    record.parents !== before.parents ||
    record.children !== before.children ||
    record.hasOwnCaller !== before.hasOwnCaller
  );
}

/** The attempt goes on: it is not another one's, and waits for nobody. */
function isSameGrant(record: OperationRecord, before: OperationRecord): boolean {
  return (
    record.lease !== null &&
    before.lease !== null &&
    record.lease.token === before.lease.token &&
    record.lease.begun === before.lease.begun &&
    record.startAfter === before.startAfter &&
    record.attempt === before.attempt
  );
}

/** Somebody watches, most often. A lease is granted without a new revision, so each field is looked at. */
function hasOnlyKinChange(record: OperationRecord, before: OperationRecord): boolean {
  const { watchDeadline, parents, children, hasOwnCaller } = record;
  const same: OperationRecord = { ...before, watchDeadline, parents, children, hasOwnCaller };
  return (Object.keys(same) as (keyof OperationRecord)[]).every((field) => record[field] === same[field]);
}
