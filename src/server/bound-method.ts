// A service method as the server runs it: with its declared service, its name, what kind of call it is, its counters.
import type { HttpRule } from "../services/http-rule.ts";
import type { ServiceDefinition, ServiceMethod } from "../services/method.ts";
import type { MethodKind, ServiceDeclaration } from "../services/service-declaration.ts";
import type { StreamingServiceDefinition, StreamMethod } from "../services/stream-method.ts";
import { MethodCounters } from "./interceptors/measure.ts";

/** What methods of both forms have. */
interface Bound {
  /** The declared service whose operations it is about. */
  readonly declaration: ServiceDeclaration;
  /** As on the gRPC path, for instance `google.longrunning.Operations/GetOperation`. */
  readonly fullName: string;
  /** What it is for. Limits depend on it: a Cancel frees work and is never shed, a List is the first to go. */
  readonly kind: MethodKind;
  /** True if a call of it changes nothing: only such methods answer HEAD. */
  readonly readOnly: boolean;
  /** REST paths in place of the method's annotation; null: the annotation. */
  readonly httpRules: readonly HttpRule[] | null;
  readonly counters: MethodCounters;
}

/** A unary method. */
export interface BoundMethod extends Bound {
  readonly service: ServiceMethod;
}

/** A streaming method. */
export interface BoundStream extends Bound {
  readonly service: StreamMethod;
}

/** What a call can be of. */
export type BoundCallable = BoundMethod | BoundStream;

/** True for a streaming method. */
export function isBoundStream(callable: BoundCallable): callable is BoundStream {
  return "open" in callable.service;
}

/** The kind of a method, by the verb that its name begins with (AIP-131 to 136). */
export function methodKindOf(rpcName: string): MethodKind {
  if (rpcName.startsWith("List")) return "list";
  if (rpcName.startsWith("Wait")) return "wait";
  if (rpcName.startsWith("Watch")) return "watch";
  if (/^(?:Start|BatchStart|Create|Rerun)/.test(rpcName)) return "start";
  if (rpcName.startsWith("Cancel")) return "cancel";
  if (rpcName.startsWith("Delete") || rpcName.startsWith("Revoke")) return "delete";
  // An operator's word that work is gone.
  if (rpcName.startsWith("Release")) return "force";
  return "get";
}

/** Binds every unary method of the definitions to a declared service. */
export function bindMethods(
  declaration: ServiceDeclaration,
  definitions: readonly ServiceDefinition[],
): BoundMethod[] {
  return definitions.flatMap((definition) =>
    definition.methods.map((service) => {
      const bound = bind(declaration, definition, service);
      return { ...bound, service, readOnly: readOnlyKinds.has(bound.kind) };
    }),
  );
}

/** Binds every streaming method of those definitions that have some. */
export function bindStreams(
  declaration: ServiceDeclaration,
  definitions: readonly (ServiceDefinition | StreamingServiceDefinition)[],
): BoundStream[] {
  return definitions.flatMap((definition) =>
    "streams" in definition
      ? definition.streams.map((service) => ({
          ...bind(declaration, definition, service),
          service,
          // A HEAD would open the stream, only to close it.
          readOnly: false,
        }))
      : [],
  );
}

const readOnlyKinds: ReadonlySet<MethodKind> = new Set<MethodKind>(["get", "list", "wait"]);

function bind(
  declaration: ServiceDeclaration,
  { desc, httpRules }: ServiceDefinition,
  service: Pick<ServiceMethod, "desc" | "kind">,
): Omit<Bound, "readOnly"> {
  return {
    declaration,
    fullName: `${desc.typeName}/${service.desc.name}`,
    kind: service.kind ?? methodKindOf(service.desc.name),
    httpRules: httpRules ? (httpRules[service.desc.name] ?? []) : null,
    counters: new MethodCounters(),
  };
}
