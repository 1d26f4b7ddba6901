// Which methods of a declared API start operations, of which type, and which messages those hold. Read once, at start:
// whatever does not fit is an error then, and never at a call.
import type { DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";
import {
  type OperationAnnotation,
  operationAnnotationOf,
  resolveAnnotatedMessage,
} from "../../protocol/operation-annotation.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import type { ProblemPath } from "../service-problem.ts";

const TYPE = /^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*$/;
const TYPE_LENGTH_MAX = 63;
const EMPTY_TYPE = "google.protobuf.Empty";

/** A method that starts operations. */
export interface StartMethod {
  readonly desc: DescMethod;
  /** For instance `google.cloud.automl.v1beta1.AutoMl.CreateModel`. */
  readonly fullName: string;
  /** The type of the operations that it starts, for instance `automl.create-model`. */
  readonly type: string;
  /** What their response is; google.protobuf.Empty where the annotation names none. */
  readonly response: DescMessage;
  /** What their metadata is, or null for none. */
  readonly metadata: DescMessage | null;
}

/** A start method that does not fit its declaration. The message names the file, the method and what was expected. */
export class StartMethodError extends TypeError {
  override name = "StartMethodError";
  /** What of the declaration is wrong, as a path from it on. */
  readonly path: ProblemPath;

  constructor(message: string, path: ProblemPath = ["startServices"]) {
    super(message);
    this.path = path;
  }
}

/**
 * The start methods of a declaration's services: unary, annotated, and returning the Operation of the declaration's
 * dialect. Throws a StartMethodError for a name in an annotation that is no known message, an operation type that two
 * methods share or that is malformed, an entry of `startTypes` that names no start method, and an annotated method that
 * returns the other dialect's Operation.
 */
export function startMethodsOf(declaration: ServiceDeclaration): readonly StartMethod[] {
  const methods = declaration.startServices.flatMap((service) => startMethodsIn(service, declaration));
  const byType = new Map<string, StartMethod>();
  for (const method of methods) {
    const other = byType.get(method.type);
    if (other !== undefined) {
      const problem = `operation type ${method.type} is that of ${other.fullName} too; expected a type of its own in startTypes`;
      const isNamed = Object.hasOwn(declaration.startTypes ?? {}, method.fullName);
      const path = isNamed ? ["startTypes", method.fullName] : undefined;
      throw new StartMethodError(`${placeOf(method.desc)}: ${problem}`, path);
    }
    byType.set(method.type, method);
  }
  for (const name of Object.keys(declaration.startTypes ?? {})) {
    if (methods.some(({ fullName }) => fullName === name)) continue;
    const expected = methods.map(({ fullName }) => fullName).join(", ") || "none: there are no start methods";
    throw new StartMethodError(
      `service ${declaration.id} has no start method ${name}; expected one of ${expected}`,
      ["startTypes", name],
    );
  }
  return methods;
}

function startMethodsIn(service: DescService, declaration: ServiceDeclaration): StartMethod[] {
  return service.methods.flatMap((desc) => {
    const annotation = operationAnnotationOf(desc);
    return annotation === null ? [] : [startMethodOf(desc, annotation, declaration)];
  });
}

function startMethodOf(
  desc: DescMethod,
  annotation: OperationAnnotation,
  declaration: ServiceDeclaration,
): StartMethod {
  if (annotation.dialect !== declaration.dialect) {
    const problem = `it returns ${desc.output.typeName}, and service ${declaration.id} has the dialect ${declaration.dialect}`;
    throw new StartMethodError(`${placeOf(desc)}: ${problem}`);
  }
  const fullName = `${desc.parent.typeName}.${desc.name}`;
  const type = declaration.startTypes?.[fullName] ?? `${declaration.id}.${kebabCase(desc.name)}`;
  if (!TYPE.test(type) || type.length > TYPE_LENGTH_MAX) {
    const problem = `${type} is no operation type; expected words of [a-z0-9-] joined by dots, at most ${TYPE_LENGTH_MAX} characters`;
    throw new StartMethodError(`${placeOf(desc)}: ${problem}`);
  }
  const metadataType = annotation.metadataType || (declaration.metadataType ?? "");
  return {
    desc,
    fullName,
    type,
    response: responseOf(desc, annotation, declaration),
    metadata:
      metadataType === "" ? null : messageOf(desc, annotation.metadataField, metadataType, declaration),
  };
}

/** operations.proto requires response_type; of Yandex's methods many leave it out where there is nothing to answer. */
function responseOf(
  desc: DescMethod,
  { dialect, responseField, responseType }: OperationAnnotation,
  declaration: ServiceDeclaration,
): DescMessage {
  if (responseType === "" && dialect === "google") {
    throw new StartMethodError(`${placeOf(desc)}: ${responseField} is missing; expected a message's name`);
  }
  return messageOf(desc, responseField, responseType || EMPTY_TYPE, declaration);
}

function messageOf(
  desc: DescMethod,
  field: string,
  name: string,
  { registry }: ServiceDeclaration,
): DescMessage {
  const message = resolveAnnotatedMessage(name, desc, registry);
  if (message !== undefined) return message;
  const scope = desc.parent.file.proto.package || "no package";
  const problem = `${field} names ${JSON.stringify(name)}, which is no message of the service's descriptors; expected a name in ${scope}, or a full one`;
  throw new StartMethodError(`${placeOf(desc)}: ${problem}`);
}

function placeOf(desc: DescMethod): string {
  return `${desc.parent.file.proto.name}: ${desc.parent.typeName}.${desc.name}`;
}

/** `CreateModel` as `create-model`, `StartHTTPCheck` as `start-http-check`. */
export function kebabCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1-$2")
    .replaceAll("_", "-")
    .toLowerCase();
}
