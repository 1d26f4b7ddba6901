// belay.v1: GetOperation, ListOperations, WaitOperation, GetReceipt. They change nothing.
import { create } from "@bufbuild/protobuf";
import { invalidField, RpcError } from "../../base/rpc-error.ts";
import type { Engine } from "../../engine/engine.ts";
import type { OperationDetail, OperationKey } from "../../engine/operation.ts";
import {
  type GetOperationRequest,
  type GetReceiptRequest,
  type ListOperationsRequest,
  type ListOperationsResponse,
  ListOperationsResponseSchema,
  type Operation,
  Operations,
  type Receipt,
  type WaitOperationRequest,
} from "../../protocol/gen/belay/v1/operations_pb.ts";
import { operationKeyOf, reachableListParent } from "../access.ts";
import type { ServiceMethod } from "../method.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { waitTimeoutMs } from "../wait-timeout.ts";
import { millisecondsOf } from "../wire-time.ts";
import { messageMethod } from "./message-method.ts";
import { projectListed } from "./projection.ts";
import { projectReceipt, type ReceiptFamily } from "./receipt-projection.ts";
import { readPageSize } from "./request-fields.ts";
import { childrenOf, shownOperation } from "./shown-operation.ts";

const PAGE_SIZE_DEFAULT = 50;

/** The methods that read. */
export function readMethods(engine: Engine, declaration: ServiceDeclaration): readonly ServiceMethod[] {
  return [
    getOperation(engine, declaration),
    listOperations(engine, declaration),
    waitOperation(engine, declaration),
    getReceipt(engine, declaration),
  ];
}

function getOperation(engine: Engine, declaration: ServiceDeclaration): ServiceMethod {
  return messageMethod<GetOperationRequest, Operation>(
    Operations.method.getOperation,
    declaration,
    async ({ name }, context) => {
      const key = operationKeyOf(name, "get", context);
      const detail = await engine.detail(key);
      engine.watched(key);
      return shownOperation(engine, detail, declaration);
    },
  );
}

function listOperations(engine: Engine, declaration: ServiceDeclaration): ServiceMethod {
  return messageMethod<ListOperationsRequest, ListOperationsResponse>(
    Operations.method.listOperations,
    declaration,
    async (request, context) => {
      const parent = reachableListParent(request.parent, context);
      const { operations, nextPageToken } = await engine.list({
        service: context.service,
        tenant: context.principal.tenant,
        parent,
        filter: request.filter,
        pageSize: readPageSize(request.pageSize, PAGE_SIZE_DEFAULT),
        pageToken: request.pageToken,
        orderBy: readOrderBy(request.orderBy),
        showDeleted: request.showDeleted,
      });
      return create(ListOperationsResponseSchema, {
        operations: operations.map(projectListed),
        nextPageToken,
      });
    },
  );
}

/** AIP-132; spaces do not matter. Throws INVALID_FIELD. */
function readOrderBy(orderBy: string): string {
  const order = orderBy.trim().replace(/ +/g, " ");
  if (["", "create_time", "create_time asc", "create_time desc"].includes(order))
    return order.replace(" asc", "");
  throw invalidField(
    "order_by",
    `is ${JSON.stringify(orderBy)}; it takes "create_time desc" or "create_time"`,
  );
}

function waitOperation(engine: Engine, declaration: ServiceDeclaration): ServiceMethod {
  return messageMethod<WaitOperationRequest, Operation>(
    Operations.method.waitOperation,
    declaration,
    async ({ name, timeout }, context) => {
      const key = operationKeyOf(name, "wait", context);
      const asked = timeout === undefined ? undefined : millisecondsOf(timeout, "timeout");
      await engine.wait(key, {
        timeoutMs: waitTimeoutMs(asked, context),
        onCallerGone: (callback) => context.onCallerGone(callback),
        includeDeleted: true,
      });
      return shownOperation(engine, await engine.detail(key), declaration);
    },
  );
}

function getReceipt(engine: Engine, declaration: ServiceDeclaration): ServiceMethod {
  return messageMethod<GetReceiptRequest, Receipt>(
    Operations.method.getReceipt,
    declaration,
    async ({ name }, context) => {
      const key = operationKeyOf(name, "get", context);
      const stored = await engine.receipt(key);
      return projectReceipt(stored, declaration.registry, await familyOf(engine, key));
    },
  );
}

/** Of a receipt that outlived its operation nothing more is known than what it says itself. */
async function familyOf(engine: Engine, key: OperationKey): Promise<ReceiptFamily> {
  const detail = await detailIfKept(engine, key);
  if (detail === undefined) return { parents: [], children: [] };
  return { parents: detail.record.parents, children: await childrenOf(engine, detail) };
}

async function detailIfKept(engine: Engine, key: OperationKey): Promise<OperationDetail | undefined> {
  try {
    return await engine.detail(key);
  } catch (error) {
    if (error instanceof RpcError && error.reason === "OPERATION_NOT_FOUND") return undefined;
    throw error;
  }
}
