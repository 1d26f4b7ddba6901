// The start methods of a declared API: each annotated RPC becomes a call that durably starts an operation. What it starts
// is decided by start-methods.ts, once; how one call is read, by start-call.ts.
import type { Message } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { RpcError } from "../../base/rpc-error.ts";
import type { Engine, StartRequest } from "../../engine/engine.ts";
import type { StoredOperation } from "../../engine/operation.ts";
import { operationBinary, operationJson } from "../google/projection.ts";
import { learnType } from "../learn-type.ts";
import type { ServiceDefinition, ServiceMethod } from "../method.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { checkStart } from "../start-check.ts";
import { yandexOperationBinary, yandexOperationJson } from "../yandex/projection.ts";
import { sayRequestId } from "../yandex/request-id-header.ts";
import { listedIdOf, listOperationsMethodOf } from "./list-operations.ts";
import { startCallOf } from "./start-call.ts";
import { type StartMethod, startMethodsOf } from "./start-methods.ts";
import { isValidateOnly } from "./start-request-id.ts";
import { validatedOperation } from "./validated-operation.ts";

/**
 * The protobuf services of a declaration, with the methods of theirs that are served: those that start operations, and
 * Yandex's ListOperations. Every other method of them is unimplemented. Throws a StartMethodError for a method that
 * cannot be served as it is declared.
 */
export function createStartServices(engine: Engine, declaration: ServiceDeclaration): ServiceDefinition[] {
  const starts = startMethodsOf(declaration);
  const labelKeys = new Set(declaration.startServices.flatMap((service) => service.methods.map(listedIdOf)));
  labelKeys.delete(null);
  const isYandex = declaration.dialect === "yandex";
  return declaration.startServices.map((desc) => {
    const methods: ServiceMethod[] = starts
      .filter((start) => start.desc.parent.typeName === desc.typeName)
      .map((start) => startMethod(engine, declaration, start, labelKeys as ReadonlySet<string>));
    for (const method of desc.methods) {
      const list = isYandex ? listOperationsMethodOf(method, engine, declaration) : null;
      if (list !== null) methods.push(list);
    }
    return { desc, methods: isYandex ? methods.map(sayRequestId) : methods };
  });
}

function startMethod(
  engine: Engine,
  declaration: ServiceDeclaration,
  start: StartMethod,
  labelKeys: ReadonlySet<string>,
): ServiceMethod<Message, StoredOperation> & ServiceMethod {
  const [binary, json] =
    declaration.dialect === "yandex"
      ? [yandexOperationBinary, yandexOperationJson]
      : [operationBinary, operationJson];
  const readCall = startCallOf(start, declaration, labelKeys);
  const method: ServiceMethod<Message, StoredOperation> = {
    desc: start.desc,
    kind: "start",
    async invoke(message, context) {
      const request = reflect(start.desc.input, message);
      await learnType(engine, start.type);
      const call = readCall(request, context, {
        served: () => checkServed(engine, start),
        input: (json) => checkStart(engine, start.type, json, "request"),
      });
      if (isValidateOnly(request)) return validatedOperation(call, start, engine.clock.now());
      return startOperation(engine, call);
    },
    encodeBinary: (stored) => binary(stored, declaration),
    encodeJson: (stored) => json(stored, declaration),
  };
  return method as typeof method & ServiceMethod;
}

function checkServed(engine: Engine, { fullName, type }: StartMethod): void {
  if (!engine.hasType(type)) throw new RpcError("START_NOT_SERVED", { method: fullName, type });
}

async function startOperation(engine: Engine, call: StartRequest): Promise<StoredOperation> {
  const { operation, created } = await engine.start(call);
  // A repeated request id: the operation may be far along, so its payloads are read.
  if (!created) return engine.detail(operation.record);
  return operation.metadata === null && call.metadata !== null
    ? { ...operation, metadata: call.metadata }
    : operation;
}
