// belay.v1: DeleteOperation, and ReleaseHeldOperation, an operator's word that work is gone.
import { create } from "@bufbuild/protobuf";
import { type Empty, EmptySchema } from "@bufbuild/protobuf/wkt";
import { invalidField } from "../../base/rpc-error.ts";
import type { Engine } from "../../engine/engine.ts";
import {
  type DeleteOperationRequest,
  type Operation,
  Operations,
  type ReleaseHeldOperationRequest,
} from "../../protocol/gen/belay/v1/operations_pb.ts";
import { checkForce, operationKeyOf } from "../access.ts";
import type { ServiceMethod } from "../method.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { messageMethod } from "./message-method.ts";
import { checkOnBehalfOf, checkReason } from "./request-fields.ts";
import { shownOperation } from "./shown-operation.ts";

/** The methods that change an operation, but for its cancel. */
export function changeMethods(engine: Engine, declaration: ServiceDeclaration): readonly ServiceMethod[] {
  return [deleteOperation(engine, declaration), releaseHeldOperation(engine, declaration)];
}

function deleteOperation(engine: Engine, declaration: ServiceDeclaration): ServiceMethod {
  return messageMethod<DeleteOperationRequest, Empty>(
    Operations.method.deleteOperation,
    declaration,
    async ({ name }, context) => {
      await engine.delete({
        key: operationKeyOf(name, "delete", context),
        requestedBy: context.principal.id,
        origin: `native/${context.transport}`,
      });
      return create(EmptySchema);
    },
  );
}

function releaseHeldOperation(engine: Engine, declaration: ServiceDeclaration): ServiceMethod {
  return messageMethod<ReleaseHeldOperationRequest, Operation>(
    Operations.method.releaseHeldOperation,
    declaration,
    async ({ name, reason, onBehalfOf }, context) => {
      const key = operationKeyOf(name, "force", context);
      checkForce(context, declaration);
      if (reason === "") throw invalidField("reason", "is required: how is it known that the work is gone?");
      checkReason(reason);
      checkOnBehalfOf(onBehalfOf);
      await engine.override({
        key,
        requestedBy: context.principal.id,
        onBehalfOf,
        requestId: context.requestId,
        reason,
        origin: `native/${context.transport}`,
      });
      return shownOperation(engine, await engine.detail(key), declaration);
    },
    "force",
  );
}
