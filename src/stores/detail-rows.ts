// Rows of what belongs to an operation or a session beside the hot row -> what the port answers.
import type { Instant } from "../base/clock.ts";
import type { Grant } from "../engine/commands.ts";
import type { AttemptRecord, OperationState } from "../engine/operation.ts";
import type { ChildSummary, OpenSession } from "../engine/store.ts";
import {
  grantedPayloads,
  type PayloadRow,
  rowToRecord,
  type StoredRow,
  statusFromJson,
} from "./operation-rows.ts";
import { rowToSession, type SessionRow } from "./session-rows.ts";

export type AttemptRow = [
  attempt: number,
  session: string,
  startTime: Instant,
  endTime: Instant,
  outcome: string,
  error: string | null,
];

export type ChildRow = [
  service: string,
  name: string,
  type: string,
  state: string,
  policy: string,
  detached: number,
];

/** A session with how many operations it runs, has reserved, and holds. */
export type OpenSessionRow = [...SessionRow, running: number, reserved: number, held: number];

/** An operation with its request and its checkpoint: what a grant carries. */
export type GrantRow = [...StoredRow, ...PayloadRow, ...PayloadRow];

export function rowToAttempt([
  attempt,
  session,
  startTime,
  endTime,
  outcome,
  error,
]: AttemptRow): AttemptRecord {
  return {
    attempt,
    session,
    startTime,
    endTime,
    outcome: outcome as AttemptRecord["outcome"],
    error: error === null ? null : statusFromJson(error),
  };
}

export function rowToChild([service, name, type, state, policy, detached]: ChildRow): ChildSummary {
  return {
    service,
    name,
    type,
    state: state as OperationState,
    policy: policy as ChildSummary["policy"],
    detached: detached === 1,
  };
}

export function rowToOpenSession(row: OpenSessionRow): OpenSession {
  const [running, reserved, held] = row.slice(-3) as [number, number, number];
  return { ...rowToSession(row), running, reserved, held };
}

export function rowToGrant(row: GrantRow): Grant {
  return { record: rowToRecord(row as unknown as StoredRow), ...grantedPayloads(row) };
}
