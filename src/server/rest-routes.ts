// Which REST paths lead to which method: the rules that its service declares, else the method's annotation.
import { annotatedBindings, declaredBindings, type HttpBinding } from "../transcoding/http-rules.ts";
import { type BoundCallable, isBoundStream } from "./bound-method.ts";

/** The bindings of a method; none for a method that only gRPC serves. */
export function restBindings(method: BoundCallable): HttpBinding[] {
  // Without ids for its events a stream could not be taken up again: gRPC alone serves it.
  if (isBoundStream(method) && method.service.eventId === undefined) return [];
  const { service, httpRules, readOnly } = method;
  const { desc } = service;
  // HEAD runs the method of its GET: only where that changes nothing.
  const options = { safe: readOnly };
  if (httpRules === null) return annotatedBindings(desc, options);
  return httpRules.flatMap(({ encodedVerb = false, ...rule }) =>
    declaredBindings(desc, [rule], { ...options, encodedVerb }),
  );
}
