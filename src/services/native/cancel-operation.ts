// belay.v1.CancelOperation: a cancel with a reason, answered with what it met; or, with validate_only, a preview of it.
import { create } from "@bufbuild/protobuf";
import { RpcError } from "../../base/rpc-error.ts";
import type { CancelCall, Engine } from "../../engine/engine.ts";
import { isDone, type OperationKey } from "../../engine/operation.ts";
import {
  type CancelOperationRequest,
  type CancelOperationResponse,
  CancelOperationResponseSchema,
  Operations,
} from "../../protocol/gen/belay/v1/operations_pb.ts";
import { checkForce, operationKeyOf } from "../access.ts";
import { checkCancellable, checkTypeCancellable } from "../cancel-support.ts";
import type { CallContext, ServiceMethod } from "../method.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { waitTimeoutMs } from "../wait-timeout.ts";
import { millisecondsOf } from "../wire-time.ts";
import { previewCancel } from "./cancel-preview.ts";
import { projectVerdict } from "./cancellation-projection.ts";
import { messageMethod } from "./message-method.ts";
import { checkOnBehalfOf, checkReason, readEtag, readGrace } from "./request-fields.ts";
import { shownOperation } from "./shown-operation.ts";

/** belay.v1.CancelOperation. */
export function cancelOperation(engine: Engine, declaration: ServiceDeclaration): ServiceMethod {
  return messageMethod<CancelOperationRequest, CancelOperationResponse>(
    Operations.method.cancelOperation,
    declaration,
    async (request, context) => {
      const { call, waitMs } = readCancel(request, context, declaration);
      const { key } = call;
      // What a client deleted while it runs is reached from here, too.
      await checkTypeCancellable(declaration, () => engine.detail(key));
      if (request.validateOnly) return previewCancel(engine, call, declaration);
      const { verdict, operation } = await engine.cancel(call);
      if (waitMs > 0 && !isDone(operation.record.state)) await waitForEnd(engine, key, waitMs, context);
      return create(CancelOperationResponseSchema, {
        verdict: projectVerdict(verdict),
        operation: await shownOperation(engine, await engine.detail(key), declaration),
      });
    },
  );
}

/** Permission first: IAM_PERMISSION_DENIED, FORCE_REFUSED, CANCEL_NOT_SUPPORTED, and then what is wrong with the request. */
function readCancel(
  request: CancelOperationRequest,
  context: CallContext,
  declaration: ServiceDeclaration,
): { call: Required<Omit<CancelCall, "cause">>; waitMs: number } {
  const key = operationKeyOf(request.name, "cancel", context);
  if (request.force) checkForce(context, declaration);
  checkCancellable(declaration);
  checkReason(request.reason);
  checkOnBehalfOf(request.onBehalfOf);
  return {
    waitMs: request.wait === undefined ? 0 : millisecondsOf(request.wait, "wait"),
    call: {
      key,
      requestedBy: context.principal.id,
      onBehalfOf: request.onBehalfOf,
      requestId: context.requestId,
      reason: request.reason,
      origin: `native/${context.transport}`,
      graceMs: request.grace === undefined ? null : readGrace(request.grace, "grace"),
      force: request.force,
      ifRevision: readEtag(request.etag),
      includeDeleted: true,
      traceparent: context.header("traceparent"),
    },
  };
}

/** The cancel itself is committed: whatever keeps the wait from being held must not turn it into an error. */
async function waitForEnd(
  engine: Engine,
  key: OperationKey,
  waitMs: number,
  context: CallContext,
): Promise<void> {
  try {
    const timeoutMs = waitTimeoutMs(waitMs, context);
    await engine.wait(key, { timeoutMs, onCallerGone: (callback) => context.onCallerGone(callback) });
  } catch (error) {
    if (!(error instanceof RpcError) || error.isInternal) throw error;
  }
}
