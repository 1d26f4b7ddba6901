// The one place that loads the OpenTelemetry API, and only if this process has registered a provider with it: by itself the
// API costs 6 MB and 20 ms, for nothing.

import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Measurements } from "../../base/measurements.ts";
import { isTelemetryRegistered, TELEMETRY_SCOPE } from "../../base/telemetry.ts";
import { AttemptSpans } from "./attempt-spans.ts";
import { bridgeToMeter } from "./meter-bridge.ts";

/** What an engine hands to OpenTelemetry. */
export interface TelemetryParts {
  measurements: Measurements;
  clock: Clock;
  logger: Logger;
}

/**
 * Connects to the providers that are registered now: measurements to a MeterProvider, spans to a TracerProvider. Answers
 * the spans, or null if nobody traces. Never rejects: telemetry that fails stops no server.
 */
export async function connectTelemetry(parts: TelemetryParts): Promise<AttemptSpans | null> {
  const isMetered = isTelemetryRegistered("metrics");
  const isTraced = isTelemetryRegistered("trace");
  if (!isMetered && !isTraced) return null;
  try {
    const { metrics, ROOT_CONTEXT, SpanStatusCode, trace } = await import("@opentelemetry/api");
    if (isMetered) bridgeToMeter(parts.measurements, metrics.getMeter(TELEMETRY_SCOPE));
    if (!isTraced) return null;
    return new AttemptSpans(
      {
        tracer: trace.getTracer(TELEMETRY_SCOPE),
        contextOf: (parent) => (parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT),
        statusOk: SpanStatusCode.OK,
        statusError: SpanStatusCode.ERROR,
      },
      parts.clock.now(),
    );
  } catch (error) {
    parts.logger.warn({ err: error }, "OpenTelemetry could not be loaded; nothing is handed to it");
    return null;
  }
}
