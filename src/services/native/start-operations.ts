// belay.v1: StartOperation, BatchStartOperations, RerunOperation, and the short way to start (OperationStarter).
import { create } from "@bufbuild/protobuf";
import { invalidField, RpcError } from "../../base/rpc-error.ts";
import type { Engine, StartRequest } from "../../engine/engine.ts";
import type { OperationDetail, StoredOperation } from "../../engine/operation.ts";
import {
  type BatchStartOperationsRequest,
  type BatchStartOperationsResponse,
  type BatchStartOperationsResponse_Result,
  BatchStartOperationsResponse_ResultSchema,
  BatchStartOperationsResponseSchema,
  type Operation,
  OperationStarter,
  Operations,
  type RerunOperationRequest,
  type StartOperationRequest,
} from "../../protocol/gen/belay/v1/operations_pb.ts";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { operationKeyOf } from "../access.ts";
import { operationBinary, operationJson } from "../google/projection.ts";
import { learnType } from "../learn-type.ts";
import type { CallContext, ServiceDefinition, ServiceMethod } from "../method.ts";
import { checkStart } from "../start-check.ts";
import { isSystemType } from "./cancel-operations/system-type.ts";
import { messageMethod } from "./message-method.ts";
import { projectOperation } from "./projection.ts";
import { checkRequestId } from "./request-fields.ts";
import { projectError } from "./result-projection.ts";
import { shownOperation } from "./shown-operation.ts";
import { readStartRequest, type StartRules } from "./start-request.ts";

const BATCH_MAX = 500;

/** Request ids of reruns are apart from those of starts. */
const RERUN_METHOD = "belay.v1.RerunOperation";

/** The methods that start. */
export function startMethods(engine: Engine, rules: StartRules): readonly ServiceMethod[] {
  return [startOperation(engine, rules), batchStart(engine, rules), rerunOperation(engine, rules)];
}

/** belay.v1.OperationStarter: the short way to start, answered with a google.longrunning.Operation. */
export function createStarterService(engine: Engine, rules: StartRules): ServiceDefinition {
  const start: ServiceMethod<StartOperationRequest, StoredOperation> = {
    desc: OperationStarter.method.startOperation,
    async invoke(request, context) {
      await learnType(engine, request.type);
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

function startOperation(engine: Engine, rules: StartRules): ServiceMethod {
  const { declaration } = rules;
  return messageMethod<StartOperationRequest, Operation>(
    Operations.method.startOperation,
    declaration,
    async (request, context) => {
      await learnType(engine, request.type);
      const start = readStart(request, context, { engine, rules });
      return startedOperation(engine, await engine.start(start), start, rules);
    },
  );
}

/** The operation as a start answers it. */
async function startedOperation(
  engine: Engine,
  { operation, created }: { operation: StoredOperation; created: boolean },
  { labels, request }: StartRequest,
  { declaration }: StartRules,
): Promise<Operation> {
  // A repeated request_id: the operation may be far along, so everything known of it is read.
  if (!created) return shownOperation(engine, await engine.detail(operation.record), declaration);
  const detail: OperationDetail = { ...operation, labels, request, checkpoint: null, attempts: [] };
  return projectOperation(detail, declaration.registry);
}

function batchStart(engine: Engine, rules: StartRules): ServiceMethod {
  return messageMethod<BatchStartOperationsRequest, BatchStartOperationsResponse>(
    Operations.method.batchStartOperations,
    rules.declaration,
    async ({ requests }, context) => {
      const count = requests.length;
      if (count === 0 || count > BATCH_MAX) {
        throw invalidField("requests", `holds ${count} requests; 1 to ${BATCH_MAX} are taken`);
      }
      await Promise.all(requests.map(({ type }) => learnType(engine, type)));
      const reads = requests.map((request) => caught(() => readStart(request, context, { engine, rules })));
      const starts = reads.filter((read): read is StartRequest => !(read instanceof RpcError));
      const started = starts.length === 0 ? [] : await engine.batchStart(starts);
      let next = 0;
      const results = reads.map(async (start) => {
        if (start instanceof RpcError) return resultOf(start);
        const outcome = started[next++];
        if (outcome === undefined) throw new TypeError("the engine answered fewer starts than it was given");
        if (outcome instanceof RpcError) return resultOf(outcome);
        return resultOf(await startedOperation(engine, outcome, start, rules));
      });
      return create(BatchStartOperationsResponseSchema, { results: await Promise.all(results) });
    },
    "start",
  );
}

/** What the function answers, or the caller's error that it throws. */
function caught<Result>(read: () => Result): Result | RpcError {
  try {
    return read();
  } catch (error) {
    if (error instanceof RpcError && !error.isInternal) return error;
    throw error;
  }
}

function resultOf(outcome: Operation | RpcError): BatchStartOperationsResponse_Result {
  return create(BatchStartOperationsResponse_ResultSchema, {
    result:
      outcome instanceof RpcError
        ? { case: "error", value: projectError(outcome) }
        : { case: "operation", value: outcome },
  });
}

function rerunOperation(engine: Engine, rules: StartRules): ServiceMethod {
  const { declaration } = rules;
  return messageMethod<RerunOperationRequest, Operation>(
    Operations.method.rerunOperation,
    declaration,
    async ({ name, requestId }, context) => {
      const key = operationKeyOf(name, "start", context);
      checkRequestId(requestId);
      const { type } = (await engine.detail(key)).record;
      // It would cancel with the rights of whoever may start: a cancel by filter is asked for anew.
      if (isSystemType(type)) throw invalidField("name", `is of the type ${type}, which does not run again`);
      const { operation } = await engine.rerun({
        key,
        requestedBy: context.principal.id,
        origin: `native/${context.transport}`,
        requestId,
        method: RERUN_METHOD,
      });
      return shownOperation(engine, await engine.detail(operation.record), declaration);
    },
    "start",
  );
}
