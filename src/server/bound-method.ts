// A service method as the server runs it: with its declared service, its name, what kind of call it is, its counters.
import type { HttpRule } from "../services/http-rule.ts";
import type { ServiceDefinition, ServiceMethod } from "../services/method.ts";
import type { MethodKind, ServiceDeclaration } from "../services/service-declaration.ts";
import { MethodCounters } from "./interceptors/measure.ts";

export interface BoundMethod {
  readonly service: ServiceMethod;
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

/** The kind of a method, by the verb that its name begins with (AIP-131 to 136). */
export function methodKindOf(rpcName: string): MethodKind {
  if (rpcName.startsWith("List")) return "list";
  if (rpcName.startsWith("Wait")) return "wait";
  if (rpcName.startsWith("Start") || rpcName.startsWith("Create")) return "start";
  if (rpcName.startsWith("Cancel")) return "cancel";
  if (rpcName.startsWith("Delete") || rpcName.startsWith("Revoke")) return "delete";
  return "get";
}

/** Binds every method of the definitions to a declared service. */
export function bindMethods(
  declaration: ServiceDeclaration,
  definitions: readonly ServiceDefinition[],
): BoundMethod[] {
  return definitions.flatMap(({ desc, methods, httpRules }) =>
    methods.map((service) => {
      const kind = service.kind ?? methodKindOf(service.desc.name);
      return {
        service,
        declaration,
        fullName: `${desc.typeName}/${service.desc.name}`,
        kind,
        readOnly: kind === "get" || kind === "list" || kind === "wait",
        httpRules: httpRules ? (httpRules[service.desc.name] ?? []) : null,
        counters: new MethodCounters(),
      };
    }),
  );
}
