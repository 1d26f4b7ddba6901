// defineMethod: work behind a start method of a declared API, typed from the API's own descriptors. It is an inline
// operation whose JSON is that of the method's messages.
import {
  create,
  createRegistry,
  type DescMessage,
  type DescMethodUnary,
  fromJson,
  type MessageInitShape,
  type MessageShape,
  type Registry,
} from "@bufbuild/protobuf";
import type { FieldViolation } from "../base/rpc-error.ts";
import { StatusCode } from "../base/status-code.ts";
import { messageToJson } from "../protocol/any.ts";
import { operationAnnotationOf, resolveAnnotatedMessage } from "../protocol/operation-annotation.ts";
import { baseTypeRegistry } from "../protocol/type-registry.ts";
import type { JsonObject } from "../protocol/worker-connection.ts";
import {
  defineOperation,
  type OperationContext,
  type OperationDefinition,
  type OperationOptions,
} from "./define-operation.ts";

/** A start method with the messages of its operation. */
export interface MethodDefinition<Input extends DescMessage, Response extends DescMessage>
  extends OperationOptions {
  /** The operation type that the service starts for the method: its id and the method's name, `automl.create-model`. */
  type: string;
  /** For instance `AutoMl.method.createModel` of the generated code. */
  method: DescMethodUnary<Input, DescMessage>;
  /** What the method's annotation names as its response, for instance `ModelSchema`; `EmptySchema` where it names none. */
  response: Response;
  /**
   * What is wrong with a request, as `check` of defineOperation says; paths have the fields' proto names. A request that
   * is not of the method's type does not come to it: that is a violation already.
   */
  check?: (request: MessageShape<Input>) => readonly FieldViolation[];
  /** Finds what an Any in these messages holds. Default: the well-known types and google.rpc. */
  registry?: Registry;
}

/** The work: takes the request, answers the response or its fields; nothing means an empty one. */
export type MethodHandler<Input extends DescMessage, Response extends DescMessage> = (
  request: MessageShape<Input>,
  context: OperationContext,
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler of an Empty response has no return statement
) => Promise<MessageInitShape<Response> | undefined | void>;

const EMPTY_TYPE = "google.protobuf.Empty";

/**
 * Declares the work of a start method; its handler runs in the worker's own event loop. Throws a TypeError for a method
 * that does not start operations, or whose annotation names another response.
 *
 * @example
 * const training = defineMethod(
 *   { type: "automl.create-model", method: AutoMl.method.createModel, response: ModelSchema, graceMs: 5_000 },
 *   async ({ parent, model }, ctx) => ({ name: `${parent}/models/m1`, displayName: model?.displayName ?? "" }),
 * );
 */
export function defineMethod<Input extends DescMessage, Response extends DescMessage>(
  definition: MethodDefinition<Input, Response>,
  handler: MethodHandler<Input, Response>,
): OperationDefinition {
  const { method, response, registry = baseTypeRegistry, check, ...options } = definition;
  checkResponse(method, response);
  const checkInput = (input: JsonObject): readonly FieldViolation[] => {
    let request: MessageShape<Input>;
    try {
      request = readRequest(method.input, input, registry);
    } catch (error) {
      if (error instanceof RequestMismatch) return [{ field: "", description: error.message }];
      throw error;
    }
    return check?.(request) ?? [];
  };
  const requestMessage = { request: method.input, registry };
  return defineOperation({ ...options, requestMessage, check: checkInput }, async (context, input) => {
    const result = await handler(readRequest(method.input, input, registry), context);
    if (result === undefined) return undefined;
    return messageToJson(response, create(response, result), registry) as JsonObject;
  });
}

function checkResponse(method: DescMethodUnary, response: DescMessage): void {
  const place = `${method.parent.typeName}.${method.name}`;
  const annotation = operationAnnotationOf(method);
  if (annotation === null) {
    throw new TypeError(
      `${place} starts no operation; expected a method with google.longrunning.operation_info or yandex.cloud.api.operation that returns an Operation`,
    );
  }
  const name = annotation.responseType || EMPTY_TYPE;
  const declared = resolveAnnotatedMessage(name, method, createRegistry(response));
  if (declared?.typeName === response.typeName) return;
  throw new TypeError(
    `${place} declares the response ${declared?.typeName ?? name}, and its handler ${response.typeName}`,
  );
}

/** Only an operation that was started as plain JSON can have a request that is not of its type. */
class RequestMismatch extends Error {
  override name = "RequestMismatch";
  readonly code = StatusCode.INVALID_ARGUMENT;
}

function readRequest<Input extends DescMessage>(
  desc: Input,
  input: JsonObject,
  registry: Registry,
): MessageShape<Input> {
  try {
    return fromJson(desc, input, { registry });
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new RequestMismatch(`the request is no ${desc.typeName}: ${problem}`, { cause });
  }
}
