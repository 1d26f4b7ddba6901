// What a stand-in does to its child in the other database: starts it, cancels it, and tells how it ended as its own end.
import { hash } from "node:crypto";
import type { RpcError } from "../../../base/rpc-error.ts";
import { StatusCode } from "../../../base/status-code.ts";
import type { Engine } from "../../../engine/engine.ts";
import {
  isGentler,
  type OperationKey,
  type OperationRecord,
  type Payload,
  type StoredOperation,
  urgencyOf,
} from "../../../engine/operation.ts";
import { isSettled, mayStillRun } from "../../../engine/transitions/children.ts";
import { emptyPayload } from "../../../protocol/empty.ts";
import type { ReportBody } from "../server-session.ts";
import { childOrderOf } from "./child-order.ts";

/**
 * A child that is started only to be found, and cancelled: if it is new, no worker gets it before the cancel.
 *
 *   started -> the node dies before it has written the name down -> a cancel. Nobody knows whether there is a child.
 */
export const TO_BE_STOPPED_MS = 60_000;

/** Starts the child of a stand-in, or finds the one that it has: its request id is the stand-in's name. */
export async function startElsewhere(
  engine: Engine,
  standIn: OperationRecord,
  input: Payload | null,
  startDelayMs = 0,
): Promise<OperationKey> {
  const { resource, ...order } = childOrderOf(input);
  const { service, tenant, name, createdBy } = standIn;
  const { operation } = await engine.start({
    ...order,
    tenant,
    parent: resource,
    createdBy,
    origin: `child of ${service} ${name}`,
    requestId: name,
    // The order of a stand-in never changes.
    requestDigest: "",
    method: `child elsewhere of ${service}`,
    startDelayMs,
  });
  const { record } = operation;
  return { service: record.service, tenant, name: record.name };
}

/** Passes the cancel of a stand-in on, as a parent's is: with force, and with no more grace than is left of one made shorter. */
export async function cancelElsewhere(
  engine: Engine,
  standIn: OperationRecord,
  child: OperationKey,
): Promise<void> {
  const { cancel } = standIn;
  if (cancel === null) return;
  const { force, graceEndTime } = urgencyOf(standIn);
  const leftMs = graceEndTime === null ? null : Math.max(0, graceEndTime - engine.clock.now()) / 1000;
  await engine.cancel({
    key: child,
    cause: "parent",
    requestedBy: cancel.requestedBy,
    onBehalfOf: cancel.onBehalfOf,
    reason: reasonOf(standIn),
    origin: "parent",
    graceMs: leftMs,
    force,
    includeDeleted: true,
  });
}

/** As the child's receipt has it. A stand-in that stops with its parent says why in the parent's own words. */
function reasonOf({ cancel, name }: OperationRecord): string {
  if (cancel?.cause === "parent") return cancel.reason;
  if (cancel?.cause === "deadline") return `the deadline of ${name} has passed`;
  return cancel?.reason
    ? `${name} was cancelled: ${cancel.reason}`.slice(0, REASON_MAX)
    : `${name} was cancelled`;
}

const REASON_MAX = 1024;

/** True if the child was not told to stop, or more gently than its stand-in's cancel asks for. */
export function isUntold(standIn: OperationRecord, child: OperationRecord): boolean {
  if (standIn.cancel === null) return false;
  return child.cancel === null || isGentler(child.cancel, urgencyOf(standIn));
}

/** True for a child that has ended with all that it awaits. */
export function hasEnded({ record }: StoredOperation): boolean {
  return isSettled(record);
}

/** True if the child has ended, and nothing of it may still run. */
export function isGone({ record }: StoredOperation): boolean {
  return isSettled(record) && !mayStillRun(record);
}

/** What a stand-in reports of a child that has ended. */
export function endOf({ record, response }: StoredOperation): ReportBody {
  const { outcome, cancel, state } = record;
  const open = mayStillRun(record) ? { mayStillRun: true } : {};
  if (outcome === null) throw new TypeError(`${record.name} has not ended`);
  if (outcome.kind === "response") {
    return { type: "complete", response: response ?? emptyPayload, digest: outcome.digest, ...open };
  }
  const { evidence = null, mechanism = null } = cancel ?? {};
  if (state === "CANCELLED" && evidence && mechanism) return { type: "stopped", evidence, mechanism };
  return {
    type: "fail",
    error: outcome.status,
    retryable: false,
    // Its own deadline has stopped it while its stand-in was stopping: that is the stop.
    abortCaused: cancel?.cause === "deadline" && evidence !== null,
    evidence: evidence ?? "HANDLER_STOPPED",
    mechanism: mechanism ?? "NONE",
    digest: outcome.digest,
    ...open,
  };
}

/** Of a child that cannot be started, or that is not there any more: nothing of it runs. */
export function failureOf({ code, message }: Pick<RpcError, "code" | "message">): ReportBody {
  return {
    type: "fail",
    error: { code, message, details: [] },
    retryable: false,
    abortCaused: false,
    evidence: "HANDLER_STOPPED",
    mechanism: "NONE",
    digest: hash("sha256", `${code} ${message}`, "base64url"),
  };
}

/** A child whose retention passed before anybody looked: how it ended is not known any more. */
export function purgedEnd({ name }: { name: string }): ReportBody {
  return failureOf({ code: StatusCode.NOT_FOUND, message: `${name} has ended, and is not kept any more` });
}
