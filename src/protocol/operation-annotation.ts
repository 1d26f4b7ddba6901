// The two marks by which a method says that it starts an operation, and which messages that operation holds:
// google.longrunning.operation_info (extension 1049) and yandex.cloud.api.operation (extension 87334).
import {
  type DescFile,
  type DescMessage,
  type DescMethod,
  getOption,
  hasOption,
  type Registry,
} from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { operation_info } from "./gen/google/longrunning/operations_pb.ts";
import { operation } from "./gen/yandex/cloud/api/operation_pb.ts";

/** What a method's annotation says, in its own words. */
export interface OperationAnnotation {
  dialect: "google" | "yandex";
  /** For instance `operation_info.response_type`, for messages. */
  responseField: string;
  /** A message's name, relative or full; `""` if there is none. */
  responseType: string;
  metadataField: string;
  metadataType: string;
}

/** The message that each dialect's start methods return. */
const operationTypes = {
  google: "google.longrunning.Operation",
  yandex: "yandex.cloud.operation.Operation",
} as const;

/**
 * The annotation of a unary method that returns its dialect's Operation; null for any other method. A method with both
 * marks is of the dialect of the Operation that it returns.
 */
export function operationAnnotationOf(method: DescMethod): OperationAnnotation | null {
  if (method.methodKind !== "unary") return null;
  if (method.output.typeName === operationTypes.google && hasOption(method, operation_info)) {
    const { responseType, metadataType } = getOption(method, operation_info);
    return {
      dialect: "google",
      responseField: "operation_info.response_type",
      responseType,
      metadataField: "operation_info.metadata_type",
      metadataType,
    };
  }
  if (method.output.typeName === operationTypes.yandex && hasOption(method, operation)) {
    const { response, metadata } = getOption(method, operation);
    return {
      dialect: "yandex",
      responseField: "yandex.cloud.api.operation.response",
      responseType: response,
      metadataField: "yandex.cloud.api.operation.metadata",
      metadataType: metadata,
    };
  }
  return null;
}

/**
 * The message that a name in a method's annotation means, by protobuf's rule: a leading dot makes it full, otherwise it
 * is looked for in the method's package, then in each package around that. Searched are the registry, and the files that
 * the method's own file imports. Undefined if there is none.
 */
export function resolveAnnotatedMessage(
  name: string,
  method: DescMethod,
  registry?: Registry,
): DescMessage | undefined {
  const { file } = method.parent;
  const find = (typeName: string): DescMessage | undefined =>
    registry?.getMessage(typeName) ??
    findInFiles(typeName, file, new Set()) ??
    (typeName === EmptySchema.typeName ? EmptySchema : undefined);
  if (name.startsWith(".")) return find(name.slice(1));
  for (let scope = file.proto.package; ; scope = scope.slice(0, Math.max(0, scope.lastIndexOf(".")))) {
    const found = find(scope === "" ? name : `${scope}.${name}`);
    if (found !== undefined || scope === "") return found;
  }
}

function findInFiles(typeName: string, file: DescFile, visited: Set<DescFile>): DescMessage | undefined {
  if (visited.has(file)) return undefined;
  visited.add(file);
  const own = findInMessages(typeName, file.messages);
  if (own !== undefined) return own;
  for (const dependency of file.dependencies) {
    const found = findInFiles(typeName, dependency, visited);
    if (found !== undefined) return found;
  }
  return undefined;
}

function findInMessages(typeName: string, messages: readonly DescMessage[]): DescMessage | undefined {
  for (const message of messages) {
    if (message.typeName === typeName) return message;
    if (!typeName.startsWith(`${message.typeName}.`)) continue;
    const nested = findInMessages(typeName, message.nestedMessages);
    if (nested !== undefined) return nested;
  }
  return undefined;
}
