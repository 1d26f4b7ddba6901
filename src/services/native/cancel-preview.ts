// What a cancel would do, without doing it: the engine's own rule is asked of the operation as it stands, and its children
// are walked as the sweep would walk them. It is true at that moment; nothing is reserved.
import { create } from "@bufbuild/protobuf";
import { MICROS_PER_MS } from "../../base/clock.ts";
import type { CancelCall, Engine } from "../../engine/engine.ts";
import {
  type CancelRequest,
  isDone,
  type OperationDetail,
  type OperationRecord,
} from "../../engine/operation.ts";
import { refusalError } from "../../engine/refusal-error.ts";
import { transition } from "../../engine/transition.ts";
import {
  type CancelOperationResponse,
  CancelOperationResponseSchema,
  type CancelPreview,
  CancelPreviewSchema,
} from "../../protocol/gen/belay/v1/operations_pb.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { durationBetween, timestampOf } from "../wire-time.ts";
import { projectVerdict } from "./cancellation-projection.ts";
import { type Cascade, cascadeOf } from "./cascade.ts";
import { projectChild } from "./family-projection.ts";
import { CHILDREN_SHOWN_MAX, shownOperation } from "./shown-operation.ts";

/**
 * The answer to a cancel with validate_only. Throws what the cancel itself would: OPERATION_NOT_FOUND,
 * OPERATION_NOT_CANCELLABLE, ETAG_MISMATCH.
 */
export async function previewCancel(
  engine: Engine,
  call: Required<Omit<CancelCall, "cause">>,
  declaration: ServiceDeclaration,
): Promise<CancelOperationResponse> {
  const detail = await engine.detail(call.key);
  const { record } = detail;
  const now = engine.clock.now();
  const outcome = transition(record, { ...call, type: "cancel", cause: "cancel" }, now);
  if (outcome.type === "refused") throw refusalError(outcome, { name: record.name });
  if (outcome.reply.type !== "cancel") throw new TypeError(`cancel was answered with ${outcome.reply.type}`);
  const { verdict } = outcome.reply;
  const isStopping = verdict === "STOPPING" || verdict === "PREVENTED_START";
  const cascade = await cascadeOf(engine, record, isStopping);
  const preview = create(CancelPreviewSchema, {
    stops: cascade.stops.slice(0, CHILDREN_SHOWN_MAX).map(projectChild),
    stopCount: cascade.stops.length,
    runsOn: cascade.runsOn.slice(0, CHILDREN_SHOWN_MAX).map(projectChild),
  });
  if (!isDone(record.state)) {
    preview.notes = notesOf(record, cascade, call.force);
    const { cancel } = outcome.record;
    if (cancel !== null && verdict !== "PREVENTED_START") setTimes(preview, cancel, cascade);
    await addHistory(engine, preview, detail);
  }
  return create(CancelOperationResponseSchema, {
    verdict: projectVerdict(verdict),
    operation: await shownOperation(engine, detail, declaration),
    preview,
  });
}

/** As the engine fixes it at the request: no earlier than what its children may take (G3). */
function setTimes(preview: CancelPreview, cancel: CancelRequest, { stopMs }: Cascade): void {
  const ofChildren = cancel.requestTime + stopMs * MICROS_PER_MS;
  preview.cancelDeadline = timestampOf(Math.max(cancel.deadline, ofChildren));
}

async function addHistory(
  engine: Engine,
  preview: CancelPreview,
  { record }: OperationDetail,
): Promise<void> {
  const { service, tenant, type } = record;
  const history = await engine.cancelHistory(service, tenant, type);
  preview.historyCount = history.count;
  if (history.count === 0) return;
  preview.expectedTime = durationBetween(0, history.p50Ms * MICROS_PER_MS);
  preview.expectedTimeMost = durationBetween(0, history.p90Ms * MICROS_PER_MS);
}

function notesOf(record: OperationRecord, cascade: Cascade, force: boolean): string[] {
  const { lease, held, cancel, state, policy } = record;
  const notes: string[] = [];
  const note = (isTrue: boolean, text: string): void => void (isTrue && notes.push(text));
  note(state === "PENDING" && held === null, "its work has not begun, and never will");
  note(
    held !== null,
    "an attempt was taken away from its worker and may still run: it ends without evidence unless that worker tells",
  );
  note(
    state === "CANCELLING" && cancel !== null,
    "it is being cancelled already: a cancel can only hasten it",
  );
  note(
    lease?.begun === true && !lease.guarded,
    "its worker is not guarded: if it is lost on the way, nobody will know whether the work has stopped",
  );
  note(
    !force && lease !== null && policy.cancel.criticalMs > 0,
    `a critical section may hold the stop back for up to ${policy.cancel.criticalMs / 1000} s`,
  );
  note(
    lease !== null,
    "force stops threads and processes; a handler that runs inline in its worker can only be told: if it does not stop in time, this ends as STOP_UNCONFIRMED",
  );
  const waits = cascade.runsOn.filter(({ policy: child }) => child === "wait").length;
  note(waits > 0, `it ends only after the ${waits} of its children that run on with the policy wait`);
  note(cascade.isCut, `more than ${cascade.visited} operations lie below it: only those are counted`);
  return notes;
}
