// belay.v1.CancelOperations: takes the order to cancel everything that matches, durably, as an operation of its own. The
// work is done by the server itself (system-worker.ts).
import { invalidField } from "../../../base/rpc-error.ts";
import type { Engine } from "../../../engine/engine.ts";
import { jsonDigest } from "../../../protocol/canonical-json.ts";
import {
  type CancelOperationsRequest,
  type Operation,
  Operations,
} from "../../../protocol/gen/belay/v1/operations_pb.ts";
import { jsonPayload } from "../../../protocol/json-payload.ts";
import { checkForce, reachableListParent } from "../../access.ts";
import { checkCancellable } from "../../cancel-support.ts";
import type { CallContext, ServiceMethod } from "../../method.ts";
import { fitsParents, parentForm } from "../../parent-pattern.ts";
import type { ServiceDeclaration } from "../../service-declaration.ts";
import { messageMethod } from "../message-method.ts";
import { checkOnBehalfOf, checkReason, checkRequestId, readGrace } from "../request-fields.ts";
import { shownOperation } from "../shown-operation.ts";
import { type CancelOrder, liveFilter, orderInput } from "./cancel-order.ts";
import { CANCEL_OPERATIONS_TYPE } from "./system-type.ts";

const METHOD = "belay.v1.CancelOperations";

/** belay.v1.CancelOperations. */
export function cancelOperations(engine: Engine, declaration: ServiceDeclaration): ServiceMethod {
  return messageMethod<CancelOperationsRequest, Operation>(
    Operations.method.cancelOperations,
    declaration,
    async (request, context) => {
      const { parent, order } = readOrder(request, context, declaration);
      await checkFilter(engine, parent, order.filter, context);
      const { requestId } = request;
      const { origin, requestId: _, ...asked } = order;
      const { operation } = await engine.start({
        service: context.service,
        tenant: context.principal.tenant,
        idPrefix: declaration.idPrefix,
        parent,
        type: CANCEL_OPERATIONS_TYPE,
        createdBy: context.principal.id,
        origin,
        description: "Cancel all operations that match a filter",
        labels: {},
        request: jsonPayload(orderInput(order), "filter"),
        metadata: null,
        requestId,
        requestDigest: requestId === "" ? "" : jsonDigest({ parent, ...asked, uncancellableTypes: [] }),
        method: METHOD,
        deadline: null,
      });
      return shownOperation(engine, await engine.detail(operation.record), declaration);
    },
    "cancel",
  );
}

function readOrder(
  request: CancelOperationsRequest,
  context: CallContext,
  declaration: ServiceDeclaration,
): { parent: string; order: CancelOrder } {
  const parent = reachableListParent(request.parent, context, "cancel");
  if (request.force) checkForce(context, declaration);
  checkCancellable(declaration);
  if (!fitsParents(parent, declaration.parents)) {
    throw invalidField("parent", `must be of the form ${declaration.parents.map(parentForm).join(" or ")}`);
  }
  if (request.filter.trim() === "") {
    throw invalidField("filter", "is required; to cancel all that runs, write done = false");
  }
  checkReason(request.reason);
  checkOnBehalfOf(request.onBehalfOf);
  checkRequestId(request.requestId);
  return {
    parent,
    order: {
      filter: request.filter,
      reason: request.reason,
      onBehalfOf: request.onBehalfOf,
      force: request.force,
      graceMs: request.grace === undefined ? null : readGrace(request.grace, "grace"),
      origin: `native/${context.transport}`,
      requestId: context.requestId,
      uncancellableTypes: declaration.uncancellableTypes,
    },
  };
}

/**
 * Throws INVALID_FILTER. The filter is looked at alone first: so its columns are right, and what stands before it later
 * cannot change what it means.
 */
async function checkFilter(
  engine: Engine,
  parent: string,
  filter: string,
  context: CallContext,
): Promise<void> {
  const page = {
    service: context.service,
    tenant: context.principal.tenant,
    parent,
    pageSize: 1,
    pageToken: "",
  };
  await engine.list({ ...page, filter });
  await engine.list({ ...page, filter: liveFilter(filter) });
}
