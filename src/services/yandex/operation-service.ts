// yandex.cloud.operation.OperationService: Get and Cancel by the bare id, both answering the Operation.
import { invalidField, RpcError } from "../../base/rpc-error.ts";
import type { Engine } from "../../engine/engine.ts";
import type { OperationKey, StoredOperation } from "../../engine/operation.ts";
import {
  type CancelOperationRequest,
  type GetOperationRequest,
  OperationService,
} from "../../protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import { isOperationId } from "../../protocol/operation-name.ts";
import { reaches } from "../access.ts";
import { checkCancellable, checkTypeCancellable } from "../cancel-support.ts";
import type { CallContext, ServiceDefinition, ServiceMethod } from "../method.ts";
import { onBehalfOfHeader } from "../on-behalf-of.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { yandexHttpRules } from "./http-rules.ts";
import { yandexOperationBinary, yandexOperationJson } from "./projection.ts";
import { sayRequestId } from "./request-id-header.ts";

const ID_LENGTH_MAX = 50;

const CANCEL_VERDICT = "belay-cancel-verdict";
const POLL_INTERVAL = "x-operation-poll-interval";

/** The OperationService of one service whose dialect is yandex. */
export function createYandexOperationService(
  engine: Engine,
  declaration: ServiceDeclaration,
): ServiceDefinition {
  return {
    desc: OperationService,
    httpRules: yandexHttpRules(declaration),
    methods: [
      sayRequestId(getOperation(engine, declaration)),
      sayRequestId(cancelOperation(engine, declaration)),
    ] as readonly ServiceMethod[],
  };
}

function getOperation(
  engine: Engine,
  declaration: ServiceDeclaration,
): ServiceMethod<GetOperationRequest, StoredOperation> {
  const { pollIntervalSeconds } = declaration;
  const pollInterval = pollIntervalSeconds === null ? null : String(pollIntervalSeconds);
  return {
    desc: OperationService.method.get,
    invoke({ operationId }, context) {
      if (pollInterval !== null) context.setHeader(POLL_INTERVAL, pollInterval);
      return engine.get(keyOf(operationId, context));
    },
    encodeBinary: (stored) => yandexOperationBinary(stored, declaration),
    encodeJson: (stored) => yandexOperationJson(stored, declaration),
  };
}

function cancelOperation(
  engine: Engine,
  declaration: ServiceDeclaration,
): ServiceMethod<CancelOperationRequest, StoredOperation> {
  return {
    desc: OperationService.method.cancel,
    async invoke({ operationId }, context) {
      const key = keyOf(operationId, context);
      try {
        checkCancellable(declaration);
        await checkTypeCancellable(declaration, () => engine.get(key));
        const { verdict, operation } = await engine.cancel({
          key,
          requestedBy: context.principal.id,
          onBehalfOf: onBehalfOfHeader(context),
          requestId: context.requestId,
          traceparent: context.header("traceparent"),
          reason: "",
          origin: `yandex/${context.transport}`,
          graceMs: null,
        });
        context.setTrailer(CANCEL_VERDICT, verdict);
        return operation;
      } catch (error) {
        if (isCancelRefused(error)) context.setTrailer(CANCEL_VERDICT, "REFUSED_NOT_CANCELLABLE");
        throw error;
      }
    },
    encodeBinary: (stored) => yandexOperationBinary(stored, declaration),
    encodeJson: (stored) => yandexOperationJson(stored, declaration),
  };
}

/**
 * The key of an id. An id that is malformed, unknown or foreign is not found, in the same words: ids have no parent
 * that could be named in a PERMISSION_DENIED. Throws OPERATION_NOT_FOUND, or INVALID_FIELD for an id that is missing
 * or longer than 50 characters.
 */
function keyOf(operationId: string, context: CallContext): OperationKey {
  const { service, principal } = context;
  const name = `operations/${operationId}`;
  if (!reaches(principal, name)) throw new RpcError("OPERATION_NOT_FOUND", { name });
  if (operationId === "") throw invalidField("operation_id", "is required");
  if (operationId.length > ID_LENGTH_MAX) {
    const problem = `is ${operationId.length} characters long; at most ${ID_LENGTH_MAX} are taken`;
    throw invalidField("operation_id", problem);
  }
  if (!isOperationId(operationId)) throw new RpcError("OPERATION_NOT_FOUND", { name });
  return { service, tenant: principal.tenant, name };
}

function isCancelRefused(error: unknown): boolean {
  if (!(error instanceof RpcError)) return false;
  return error.reason === "OPERATION_NOT_CANCELLABLE" || error.reason === "CANCEL_NOT_SUPPORTED";
}
