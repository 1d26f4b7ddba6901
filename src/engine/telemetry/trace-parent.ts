// The trace context of a caller, as the header `traceparent` brings it (W3C Trace Context, level 1).
import type { SpanContext } from "@opentelemetry/api";

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/** Reads a traceparent; undefined for one that is absent or malformed: the caller is then in no trace (3.2.2). */
export function readTraceParent(text: string | undefined): SpanContext | undefined {
  const match = text === undefined ? null : TRACEPARENT.exec(text);
  if (!match) return undefined;
  const [whole, version = "", traceId = "", spanId = "", flags = ""] = match;
  // Later versions may be longer; this one may not.
  if (version === "ff" || (version === "00" && whole.length !== 55)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
}
