// google.longrunning.Operations: Get, List, Wait, Cancel and Delete, as operations.proto and AIP-151 say.
import { invalidField, RpcError } from "../../base/rpc-error.ts";
import type { Engine } from "../../engine/engine.ts";
import type { StoredOperation } from "../../engine/operation.ts";
import type { ListPage } from "../../engine/store.ts";
import { EMPTY_BYTES, EMPTY_JSON } from "../../protocol/empty.ts";
import {
  type CancelOperationRequest,
  type DeleteOperationRequest,
  type GetOperationRequest,
  type ListOperationsRequest,
  Operations,
  type WaitOperationRequest,
} from "../../protocol/gen/google/longrunning/operations_pb.ts";
import {
  encodeOperationPage,
  type OperationView,
  operationPageToJsonText,
} from "../../protocol/operation-encoder.ts";
import { operationKeyOf, reachableListParent } from "../access.ts";
import { checkCancellable, checkTypeCancellable } from "../cancel-support.ts";
import type { CallContext, ServiceDefinition, ServiceMethod } from "../method.ts";
import { onBehalfOfHeader } from "../on-behalf-of.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { waitTimeoutMs } from "../wait-timeout.ts";
import { millisecondsOf } from "../wire-time.ts";
import { httpRules } from "./http-rules.ts";
import { operationBinary, operationJson, toOperationView } from "./projection.ts";

const PAGE_SIZE_DEFAULT = 50;
const PAGE_SIZE_MAX = 1000;

const CANCEL_VERDICT = "belay-cancel-verdict";

/** google.longrunning.Operations of one service. */
export function createOperationsService(engine: Engine, declaration: ServiceDeclaration): ServiceDefinition {
  return {
    desc: Operations,
    httpRules: httpRules(declaration),
    methods: [
      getOperation(engine, declaration),
      listOperations(engine, declaration),
      waitOperation(engine, declaration),
      cancelOperation(engine, declaration),
      deleteOperation(engine),
    ] as readonly ServiceMethod[],
  };
}

/** How a method whose reply is one operation encodes it. */
function operationReply(
  declaration: ServiceDeclaration,
): Pick<ServiceMethod<never, StoredOperation>, "encodeBinary" | "encodeJson"> {
  return {
    encodeBinary: (stored) => operationBinary(stored, declaration),
    encodeJson: (stored) => operationJson(stored, declaration),
  };
}

function getOperation(
  engine: Engine,
  declaration: ServiceDeclaration,
): ServiceMethod<GetOperationRequest, StoredOperation> {
  return {
    desc: Operations.method.getOperation,
    invoke: ({ name }, context) => engine.get(operationKeyOf(name, "get", context)),
    ...operationReply(declaration),
  };
}

function listOperations(
  engine: Engine,
  declaration: ServiceDeclaration,
): ServiceMethod<ListOperationsRequest, ListPage> {
  const viewOf = (stored: StoredOperation): OperationView => toOperationView(stored, declaration);
  return {
    desc: Operations.method.listOperations,
    invoke(request, context) {
      const parent = reachableListParent(request.name, context);
      if (request.returnPartialSuccess) throw new RpcError("PARTIAL_SUCCESS_UNSUPPORTED");
      return engine.list({
        service: context.service,
        tenant: context.principal.tenant,
        parent,
        filter: request.filter,
        pageSize: readPageSize(request.pageSize),
        pageToken: request.pageToken,
      });
    },
    encodeBinary: ({ operations, nextPageToken }) =>
      encodeOperationPage({ operations: operations.map(viewOf), nextPageToken }),
    encodeJson: ({ operations, nextPageToken }) =>
      operationPageToJsonText({ operations: operations.map(viewOf), nextPageToken }, declaration.registry),
  };
}

/** AIP-158: 0 takes the default, too much is coerced, a negative size is an error. */
function readPageSize(pageSize: number): number {
  if (pageSize < 0) throw invalidField("page_size", `is ${pageSize}; it must not be negative`);
  return pageSize === 0 ? PAGE_SIZE_DEFAULT : Math.min(pageSize, PAGE_SIZE_MAX);
}

function waitOperation(
  engine: Engine,
  declaration: ServiceDeclaration,
): ServiceMethod<WaitOperationRequest, StoredOperation> {
  return {
    desc: Operations.method.waitOperation,
    invoke(request, context) {
      const key = operationKeyOf(request.name, "wait", context);
      const asked = request.timeout === undefined ? undefined : millisecondsOf(request.timeout, "timeout");
      // The context itself is the options' caller: no closure is made for each of thousands of waits.
      return engine.wait(key, new WaitOptions(context, waitTimeoutMs(asked, context)));
    },
    ...operationReply(declaration),
  };
}

class WaitOptions {
  readonly timeoutMs: number;
  readonly #context: CallContext;

  constructor(context: CallContext, timeoutMs: number) {
    this.#context = context;
    this.timeoutMs = timeoutMs;
  }

  onCallerGone(callback: () => void): void {
    this.#context.onCallerGone(callback);
  }
}

function cancelOperation(
  engine: Engine,
  declaration: ServiceDeclaration,
): ServiceMethod<CancelOperationRequest, null> {
  return {
    desc: Operations.method.cancelOperation,
    async invoke({ name }, context) {
      const cancel = {
        key: operationKeyOf(name, "cancel", context),
        requestedBy: context.principal.id,
        onBehalfOf: onBehalfOfHeader(context),
        requestId: context.requestId,
        traceparent: context.header("traceparent"),
        reason: "",
        origin: `google/${context.transport}`,
        graceMs: null,
      };
      try {
        checkCancellable(declaration);
        await checkTypeCancellable(declaration, () => engine.get(cancel.key));
        const { verdict } = await engine.cancel(cancel);
        context.setTrailer(CANCEL_VERDICT, verdict);
      } catch (error) {
        if (error instanceof RpcError && isCancelRefused(error)) {
          context.setTrailer(CANCEL_VERDICT, "REFUSED_NOT_CANCELLABLE");
        }
        throw error;
      }
      return null;
    },
    encodeBinary: () => EMPTY_BYTES,
    encodeJson: () => EMPTY_JSON,
  };
}

/** True for the refusals whose verdict is REFUSED_NOT_CANCELLABLE. */
function isCancelRefused({ reason }: RpcError): boolean {
  return reason === "OPERATION_NOT_CANCELLABLE" || reason === "CANCEL_NOT_SUPPORTED";
}

function deleteOperation(engine: Engine): ServiceMethod<DeleteOperationRequest, null> {
  return {
    desc: Operations.method.deleteOperation,
    async invoke({ name }, context) {
      await engine.delete({
        key: operationKeyOf(name, "delete", context),
        requestedBy: context.principal.id,
        origin: `google/${context.transport}`,
      });
      return null;
    },
    encodeBinary: () => EMPTY_BYTES,
    encodeJson: () => EMPTY_JSON,
  };
}
