// google.longrunning.Operations: Get, List, Wait, Cancel and Delete, as operations.proto and AIP-151 say.
import { invalidField, RpcError } from "../../base/rpc-error.ts";
import type { Engine } from "../../engine/engine.ts";
import type { OperationKey, StoredOperation } from "../../engine/operation.ts";
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
import { encodeOperationPage, operationPageToJsonText } from "../../protocol/operation-encoder.ts";
import { listParentOf, operationNameOf } from "../../protocol/operation-name.ts";
import { baseTypeRegistry } from "../../protocol/type-registry.ts";
import type { CallContext, ServiceDefinition, ServiceMethod } from "../method.ts";
import { waitTimeoutMs } from "../wait-timeout.ts";
import { millisecondsOf } from "../wire-time.ts";
import { operationBinary, operationJson, toOperationView } from "./projection.ts";

const PAGE_SIZE_DEFAULT = 50;
const PAGE_SIZE_MAX = 1000;

const CANCEL_VERDICT = "belay-cancel-verdict";

/** Makes the service over an engine. */
export function createOperationsService(engine: Engine): ServiceDefinition {
  return {
    desc: Operations,
    methods: [
      getOperation(engine),
      listOperations(engine),
      waitOperation(engine),
      cancelOperation(engine),
      deleteOperation(engine),
    ] as readonly ServiceMethod[],
  };
}

function keyOf(name: string, context: CallContext): OperationKey {
  operationNameOf(name);
  return { service: context.service, tenant: context.principal.tenant, name };
}

function getOperation(engine: Engine): ServiceMethod<GetOperationRequest, StoredOperation> {
  return {
    desc: Operations.method.getOperation,
    invoke: ({ name }, context) => engine.get(keyOf(name, context)),
    encodeBinary: operationBinary,
    encodeJson: operationJson,
  };
}

function listOperations(engine: Engine): ServiceMethod<ListOperationsRequest, ListPage> {
  return {
    desc: Operations.method.listOperations,
    invoke(request, context) {
      if (request.returnPartialSuccess) throw new RpcError("PARTIAL_SUCCESS_UNSUPPORTED");
      return engine.list({
        service: context.service,
        tenant: context.principal.tenant,
        parent: listParentOf(request.name),
        filter: request.filter,
        pageSize: readPageSize(request.pageSize),
        pageToken: request.pageToken,
      });
    },
    encodeBinary: ({ operations, nextPageToken }) =>
      encodeOperationPage({ operations: operations.map(toOperationView), nextPageToken }),
    encodeJson: ({ operations, nextPageToken }) =>
      operationPageToJsonText(
        { operations: operations.map(toOperationView), nextPageToken },
        baseTypeRegistry,
      ),
  };
}

/** AIP-158: 0 takes the default, too much is coerced, a negative size is an error. */
function readPageSize(pageSize: number): number {
  if (pageSize < 0) throw invalidField("page_size", `is ${pageSize}; it must not be negative`);
  return pageSize === 0 ? PAGE_SIZE_DEFAULT : Math.min(pageSize, PAGE_SIZE_MAX);
}

function waitOperation(engine: Engine): ServiceMethod<WaitOperationRequest, StoredOperation> {
  return {
    desc: Operations.method.waitOperation,
    invoke(request, context) {
      const key = keyOf(request.name, context);
      const asked = request.timeout === undefined ? undefined : millisecondsOf(request.timeout, "timeout");
      // The context itself is the options' caller: no closure is made for each of thousands of waits.
      return engine.wait(key, new WaitOptions(context, waitTimeoutMs(asked, context)));
    },
    encodeBinary: operationBinary,
    encodeJson: operationJson,
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

function cancelOperation(engine: Engine): ServiceMethod<CancelOperationRequest, null> {
  return {
    desc: Operations.method.cancelOperation,
    async invoke({ name }, context) {
      const cancel = {
        key: keyOf(name, context),
        requestedBy: context.principal.id,
        reason: "",
        origin: `google/${context.transport}`,
        graceMs: null,
      };
      try {
        const { verdict } = await engine.cancel(cancel);
        context.setTrailer(CANCEL_VERDICT, verdict);
      } catch (error) {
        if (error instanceof RpcError && error.reason === "OPERATION_NOT_CANCELLABLE") {
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

function deleteOperation(engine: Engine): ServiceMethod<DeleteOperationRequest, null> {
  return {
    desc: Operations.method.deleteOperation,
    async invoke({ name }, context) {
      await engine.delete({
        key: keyOf(name, context),
        requestedBy: context.principal.id,
        origin: `google/${context.transport}`,
      });
      return null;
    },
    encodeBinary: () => EMPTY_BYTES,
    encodeJson: () => EMPTY_JSON,
  };
}
