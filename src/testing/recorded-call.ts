// The context of a call for tests of services: says what the test gives it, and writes down what the method sets.
import type { CallContext } from "../services/method.ts";

/** A context, and what was set through it. */
export interface RecordedCall extends CallContext {
  readonly headers: Readonly<Record<string, string>>;
  readonly trailers: Readonly<Record<string, string>>;
}

/** An anonymous gRPC call of the service `default`, with what the test changes. Request headers by lower-case name. */
export function recordedCall(
  changes: Partial<Omit<CallContext, "header">> & { requestHeaders?: Readonly<Record<string, string>> } = {},
): RecordedCall {
  const { requestHeaders = {}, ...rest } = changes;
  const headers: Record<string, string> = {};
  const trailers: Record<string, string> = {};
  return {
    requestId: "req-1",
    principal: { id: "anonymous", tenant: "default", scopes: null, grants: null },
    service: "default",
    transport: "grpc",
    authority: undefined,
    deadlineMs: Number.POSITIVE_INFINITY,
    onCallerGone: () => {},
    header: (name) => requestHeaders[name],
    setHeader(name, value) {
      headers[name] = value;
    },
    setTrailer(name, value) {
      trailers[name] = value;
    },
    ...rest,
    headers,
    trailers,
  };
}
