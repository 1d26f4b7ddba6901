// belay.v1: starting operations, everything that is known of one, cancelling with a reason and a verdict, receipts.
import type { Message } from "@bufbuild/protobuf";
import { create, type DescMethod, toBinary } from "@bufbuild/protobuf";
import { RpcError } from "../../base/rpc-error.ts";
import type { Engine, StartRequest } from "../../engine/engine.ts";
import { isDone, type OperationKey, type StoredOperation } from "../../engine/operation.ts";
import { messageToJson } from "../../protocol/any.ts";
import {
  type CancelOperationRequest,
  type CancelOperationResponse,
  CancelOperationResponseSchema,
  type GetOperationRequest,
  type GetReceiptRequest,
  type Operation,
  OperationStarter,
  Operations,
  type Receipt,
  type StartOperationRequest,
} from "../../protocol/gen/belay/v1/operations_pb.ts";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { operationKeyOf } from "../access.ts";
import { checkCancellable, checkTypeCancellable } from "../cancel-support.ts";
import { operationBinary, operationJson } from "../google/projection.ts";
import type { CallContext, ServiceDefinition, ServiceMethod } from "../method.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { checkStart } from "../start-check.ts";
import { waitTimeoutMs } from "../wait-timeout.ts";
import { millisecondsOf } from "../wire-time.ts";
import { projectOperation, projectReceipt, projectVerdict } from "./projection.ts";
import { checkText, readGrace, readStartRequest, type StartRules } from "./start-request.ts";

const REASON_LENGTH_MAX = 1024;

/** belay.v1.Operations of one service. */
export function createNativeOperationsService(engine: Engine, rules: StartRules): ServiceDefinition {
  const { declaration } = rules;
  return {
    desc: Operations,
    methods: [
      startOperation(engine, rules),
      getOperation(engine, declaration),
      cancelOperation(engine, declaration),
      getReceipt(engine, declaration),
    ] as readonly ServiceMethod[],
  };
}

/** belay.v1.OperationStarter: the short way to start, answered with a google.longrunning.Operation. */
export function createStarterService(engine: Engine, rules: StartRules): ServiceDefinition {
  const start: ServiceMethod<StartOperationRequest, StoredOperation> = {
    desc: OperationStarter.method.startOperation,
    async invoke(request, context) {
      const { operation } = await engine.start(readStart(request, context, { engine, rules }));
      return operation;
    },
    encodeBinary: (stored) => operationBinary(stored, rules.declaration),
    encodeJson: (stored) => operationJson(stored, rules.declaration),
  };
  return { desc: OperationStarter, methods: [start] as readonly ServiceMethod[] };
}

/** The engine's request, once the type's own check has nothing against its payload. */
function readStart(
  request: StartOperationRequest,
  context: CallContext,
  { engine, rules }: { engine: Engine; rules: StartRules },
): StartRequest {
  const start = readStartRequest(request, context, rules);
  checkStart(engine, start.type, (request.payload ?? {}) as JsonObject, "payload");
  return start;
}

/** A method whose reply is a protobuf-es message; an Any in it never breaks its JSON. */
function messageMethod<Request extends Message, Reply extends Message>(
  desc: DescMethod,
  { registry }: ServiceDeclaration,
  invoke: (request: Request, context: CallContext) => Promise<Reply>,
): ServiceMethod<Request, Reply> {
  return {
    desc,
    invoke,
    encodeBinary: (reply) => toBinary(desc.output, reply),
    encodeJson: (reply) => JSON.stringify(messageToJson(desc.output, reply, registry)),
  };
}

function startOperation(engine: Engine, rules: StartRules): ServiceMethod<StartOperationRequest, Operation> {
  const { declaration } = rules;
  return messageMethod(Operations.method.startOperation, declaration, async (request, context) => {
    const start = readStart(request, context, { engine, rules });
    const { operation, created } = await engine.start(start);
    // A repeated request_id: the operation may be far along, so everything known of it is read.
    if (!created) return projectOperation(await engine.detail(operation.record), declaration.registry);
    const { labels, request: payload } = start;
    const detail = { ...operation, labels, request: payload, checkpoint: null, attempts: [] };
    return projectOperation(detail, declaration.registry);
  });
}

function getOperation(
  engine: Engine,
  declaration: ServiceDeclaration,
): ServiceMethod<GetOperationRequest, Operation> {
  return messageMethod(Operations.method.getOperation, declaration, async ({ name }, context) =>
    projectOperation(await engine.detail(operationKeyOf(name, "get", context)), declaration.registry),
  );
}

function cancelOperation(
  engine: Engine,
  declaration: ServiceDeclaration,
): ServiceMethod<CancelOperationRequest, CancelOperationResponse> {
  return messageMethod(Operations.method.cancelOperation, declaration, async (request, context) => {
    const key = operationKeyOf(request.name, "cancel", context);
    checkCancellable(declaration);
    checkText("reason", request.reason, REASON_LENGTH_MAX);
    const waitMs = request.wait === undefined ? 0 : millisecondsOf(request.wait, "wait");
    const graceMs = request.grace === undefined ? null : readGrace(request.grace, "grace");
    // What a client deleted while it runs is reached from here, too.
    await checkTypeCancellable(declaration, () => engine.detail(key));
    const { verdict, operation } = await engine.cancel({
      key,
      requestedBy: context.principal.id,
      reason: request.reason,
      origin: `native/${context.transport}`,
      graceMs,
      includeDeleted: true,
    });
    if (waitMs > 0 && !isDone(operation.record.state)) await waitForEnd(engine, key, waitMs, context);
    return create(CancelOperationResponseSchema, {
      verdict: projectVerdict(verdict),
      operation: projectOperation(await engine.detail(key), declaration.registry),
    });
  });
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

function getReceipt(
  engine: Engine,
  declaration: ServiceDeclaration,
): ServiceMethod<GetReceiptRequest, Receipt> {
  return messageMethod(Operations.method.getReceipt, declaration, async ({ name }, context) =>
    projectReceipt(await engine.receipt(operationKeyOf(name, "get", context)), declaration.registry),
  );
}
