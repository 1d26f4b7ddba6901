// A service method as the server runs it: with its name, what kind of call it is, and its counters.
import type { ServiceDefinition, ServiceMethod } from "../services/method.ts";
import { MethodCounters } from "./interceptors/measure.ts";

/** What a call is for. The limits depend on it: a Cancel frees work and is never shed, a List is the first to go. */
export type MethodKind = "get" | "list" | "wait" | "start" | "cancel" | "delete";

export interface BoundMethod {
  readonly service: ServiceMethod;
  /** As on the gRPC path, for instance `google.longrunning.Operations/GetOperation`. */
  readonly fullName: string;
  readonly kind: MethodKind;
  /** True if a call of it changes nothing: only such methods answer HEAD. */
  readonly readOnly: boolean;
  readonly counters: MethodCounters;
}

/** The kind of a method, by the verb that its name begins with (AIP-131 to 136). */
export function methodKindOf(rpcName: string): MethodKind {
  if (rpcName.startsWith("List")) return "list";
  if (rpcName.startsWith("Wait")) return "wait";
  if (rpcName.startsWith("Start")) return "start";
  if (rpcName.startsWith("Cancel")) return "cancel";
  if (rpcName.startsWith("Delete")) return "delete";
  return "get";
}

/** Binds every method of the services. */
export function bindMethods(services: readonly ServiceDefinition[]): BoundMethod[] {
  return services.flatMap((definition) =>
    definition.methods.map((service) => {
      const kind = methodKindOf(service.desc.name);
      return {
        service,
        fullName: `${definition.desc.typeName}/${service.desc.name}`,
        kind,
        readOnly: kind === "get" || kind === "list" || kind === "wait",
        counters: new MethodCounters(),
      };
    }),
  );
}
