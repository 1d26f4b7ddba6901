// Which REST paths lead to which method: the rules that a service declares, else its methods' annotations.
import { Operations } from "../protocol/gen/google/longrunning/operations_pb.ts";
import { httpRules } from "../services/google/http-rules.ts";
import type { HttpRules } from "../services/http-rule.ts";
import { annotatedBindings, declaredBindings, type HttpBinding } from "../transcoding/http-rules.ts";
import type { BoundMethod } from "./bound-method.ts";

/** By the full name of the service. */
const declaredRules: ReadonlyMap<string, HttpRules> = new Map([[Operations.typeName, httpRules("/v1")]]);

/** The bindings of a method; none for a method that only gRPC serves. */
export function restBindings(method: BoundMethod): HttpBinding[] {
  const { desc } = method.service;
  const declared = declaredRules.get(desc.parent.typeName);
  // HEAD runs the method of its GET: only where that changes nothing.
  const options = { safe: method.readOnly };
  return declared
    ? declaredBindings(desc, declared[desc.name] ?? [], options)
    : annotatedBindings(desc, options);
}
