// Which REST paths lead to which method: the rules that its service declares, else the method's annotation.
import { annotatedBindings, declaredBindings, type HttpBinding } from "../transcoding/http-rules.ts";
import type { BoundMethod } from "./bound-method.ts";

/** The bindings of a method; none for a method that only gRPC serves. */
export function restBindings({ service, httpRules, readOnly }: BoundMethod): HttpBinding[] {
  const { desc } = service;
  // HEAD runs the method of its GET: only where that changes nothing.
  const options = { safe: readOnly };
  if (httpRules === null) return annotatedBindings(desc, options);
  return httpRules.flatMap(({ encodedVerb = false, ...rule }) =>
    declaredBindings(desc, [rule], { ...options, encodedVerb }),
  );
}
