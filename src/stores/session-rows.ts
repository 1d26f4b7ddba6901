// Row <-> session. Workers are not a tenant's: their rows carry neither service nor tenant.
import type { Instant } from "../base/clock.ts";
import type { OpenSessionCommand } from "../engine/commands.ts";
import type { SessionRecord } from "../engine/decision.ts";

/** A session's row, in the order of SESSION_COLUMNS. */
export type SessionRow = [
  session: string,
  kind: string,
  worker: string,
  types: string,
  slots: number,
  guarded: number,
  bootId: string,
  leaseMs: number,
  openTime: Instant,
  heartbeatTime: Instant,
  build: string,
  principal: string,
  /** "" where one process has the store. */
  node: string,
];

/** The columns of a SessionRow. */
export const SESSION_COLUMNS =
  "session, kind, worker, types, slots, guarded, boot_id, lease_ms, open_time, heartbeat_time, build, principal, node";

/** The session as a row. */
export function sessionToRow(session: SessionRecord): SessionRow {
  const { kind, worker, types, slots, guarded, bootId, leaseMs, openTime, heartbeatTime } = session;
  const { build, principal, node = "" } = session;
  return [
    session.session,
    kind,
    worker,
    JSON.stringify(types),
    slots,
    guarded ? 1 : 0,
    bootId,
    leaseMs,
    openTime,
    heartbeatTime,
    build,
    principal,
    node,
  ];
}

/** The session of a row; longer rows are fine. */
export function rowToSession(row: SessionRow | [...SessionRow, ...unknown[]]): SessionRecord {
  const [session, kind, worker, types, slots, guarded, bootId, leaseMs, openTime, heartbeatTime] = row;
  return {
    session,
    kind: kind as OpenSessionCommand["kind"],
    worker,
    build: row[10],
    principal: row[11],
    types: JSON.parse(types) as string[],
    slots,
    guarded: guarded === 1,
    bootId,
    leaseMs,
    openTime,
    heartbeatTime,
    ...(row[12] !== "" && { node: row[12] }),
  };
}
