// Operations, receipts and the rest of belay.v1 as ProtoJSON, for people and for --json. An Any of a type that is not known here never breaks it.
import {
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import { anyToJson, messageToJson } from "../protocol/any.ts";
import { EMPTY_TYPE_URL } from "../protocol/empty.ts";
import {
  type Operation,
  OperationSchema,
  type Receipt,
  ReceiptSchema,
} from "../protocol/gen/belay/v1/operations_pb.ts";
import { decodeStruct, STRUCT_TYPE_URL } from "../protocol/struct.ts";
import { baseTypeRegistry } from "../protocol/type-registry.ts";

/** The operation as ProtoJSON: the body that `GET /belay/v1/{name}` answers. */
export function operationToJson(operation: Operation): JsonObject {
  return messageToJson(OperationSchema, operation, baseTypeRegistry) as JsonObject;
}

/** Any other message of this API as ProtoJSON. */
export function messageJson<Schema extends DescMessage>(
  schema: Schema,
  message: MessageShape<Schema>,
): JsonObject {
  return messageToJson(schema, message, baseTypeRegistry) as JsonObject;
}

/** The receipt as ProtoJSON. */
export function receiptToJson(receipt: Receipt): JsonObject {
  return toJson(ReceiptSchema, receipt) as JsonObject;
}

/**
 * The response as plain JSON: a Struct's object, `{}` for Empty, ProtoJSON with `@type` for all else; undefined if
 * the operation has none.
 */
export function responseJson(operation: Operation): JsonValue | undefined {
  if (operation.result.case !== "response") return undefined;
  const { typeUrl, value: bytes } = operation.result.value;
  if (typeUrl === EMPTY_TYPE_URL) return {};
  if (typeUrl === STRUCT_TYPE_URL) return decodeStruct(bytes);
  return anyToJson({ typeUrl, bytes }, baseTypeRegistry);
}
