// What one answer told of one operation: the fields that the checks compare. An absent field was not told by that answer.
import { createHash } from "node:crypto";
import type { Operation, OperationEvent } from "../../src/client/client.ts";
import { responseJson } from "../../src/client/client.ts";
import { StateSchema } from "../../src/protocol/gen/belay/v1/operations_pb.ts";

export type StateName = "PENDING" | "RUNNING" | "CANCELLING" | "SUCCEEDED" | "FAILED" | "CANCELLED";

/** Times are microseconds of the server's clock. */
export interface View {
  /** The etag's number; absent in google's dialect, which has none. */
  revision?: number;
  state?: StateName;
  done: boolean;
  attempt?: number;
  maxAttempts?: number;
  /** "" while no cancel is committed. */
  cause?: string;
  reason?: string;
  createUs?: number;
  updateUs?: number;
  endUs?: number;
  isDeleted?: boolean;
  isHeld?: boolean;
  /** A late word on a stop that nobody could confirm changes a done operation once more. */
  isConfirmedLater?: boolean;
  /** "" before the end; then the code of its error (0 for a response), and a digest of what it says. */
  outcome?: string;
  error?: boolean;
  response?: boolean;
  /** The worker that the response names (traced-work.ts). */
  by?: string;
}

export const finalStates: readonly StateName[] = ["SUCCEEDED", "FAILED", "CANCELLED"];

/** An operation as belay.v1 answers it. A list and an event tell less of it: they leave payloads out. */
export function viewOf(operation: Operation, from: "call" | "list" = "call"): View {
  const { state, done, attempt, maxAttempts, cancellation, result } = operation;
  const view: View = {
    ...{ revision: revisionOf(operation.etag), state: stateNameOf(state), done, attempt, maxAttempts },
    ...{ cause: cancellation?.cause ?? "", reason: cancellation?.reason ?? "" },
    ...{ createUs: microsOf(operation.createTime), updateUs: microsOf(operation.updateTime) },
    ...{ endUs: microsOf(operation.endTime), isDeleted: operation.deleteTime !== undefined },
    ...{ isHeld: operation.held, isConfirmedLater: cancellation?.stopConfirmedTime !== undefined },
  };
  if (from === "list") return view;
  const { by } = (responseJson(operation) ?? {}) as { by?: unknown };
  return {
    ...view,
    ...{ outcome: outcomeOf(result), error: result.case === "error", response: result.case === "response" },
    ...(typeof by === "string" && { by }),
  };
}

/** What an event says of the operation as it was when the change was committed. */
export function viewOfEvent({ state, etag, time }: OperationEvent): View {
  const name = stateNameOf(state);
  return {
    ...{
      revision: revisionOf(etag),
      state: name,
      done: finalStates.includes(name),
      updateUs: microsOf(time),
    },
  };
}

/** google.longrunning.Operation: whether it is done, and how it ended. */
export function viewOfGoogle(operation: {
  done?: boolean | null;
  error?: { code?: number | null } | null;
  response?: unknown;
}): View {
  const { done, error, response } = operation;
  const view: View = { done: done === true, error: Boolean(error), response: Boolean(response) };
  if (!view.done) return view;
  if (!error) return { ...view, state: "SUCCEEDED" };
  return { ...view, state: error.code === 1 ? "CANCELLED" : "FAILED" };
}

function outcomeOf(result: Operation["result"]): string {
  if (result.case === "error") return `${result.value.code} ${result.value.message}`;
  if (result.case !== "response") return "";
  const { typeUrl, value } = result.value;
  return `0 ${typeUrl} ${createHash("sha256").update(value).digest("hex").slice(0, 16)}`;
}

function revisionOf(etag: string): number {
  const [, digits] = /^"(\d+)"$/.exec(etag) ?? [];
  if (digits === undefined) throw new TypeError(`the etag ${etag} is no revision`);
  return Number(digits);
}

function stateNameOf(state: Operation["state"]): StateName {
  const name = StateSchema.value[state]?.name;
  if (name === undefined || name === "STATE_UNSPECIFIED") throw new TypeError(`there is no state ${state}`);
  return name as StateName;
}

function microsOf(time: { seconds: bigint; nanos: number } | undefined): number {
  return time ? Number(time.seconds) * 1_000_000 + time.nanos / 1000 : 0;
}
