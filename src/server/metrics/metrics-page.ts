// GET /metrics: everything that is measured, as Prometheus reads it. With identity it is for those whom nothing limits, or
// who have the scope for it: the figures are of the whole server, of all tenants together.
import { type Measured, type Measurements, type Point, point } from "../../base/measurements.ts";
import { RpcError } from "../../base/rpc-error.ts";
import { statusCodeName } from "../../base/status-code.ts";
import { instruments } from "../../base/telemetry.ts";
import type { Principal } from "../../services/method.ts";
import type { Identity } from "../auth/identity.ts";
import type { BoundCallable } from "../bound-method.ts";
import { PROMETHEUS_CONTENT_TYPE, prometheusText } from "./prometheus-text.ts";

/** The scope that opens /metrics to a credential that is limited. */
export const METRICS_SCOPE = "belay.metrics";

export const METRICS_PATH = "/metrics";

/** True for a target that is the page, with or without a query. */
export function isMetricsTarget(target: string): boolean {
  return target === METRICS_PATH || target.startsWith(`${METRICS_PATH}?`);
}

export interface MetricsPageOptions {
  measurements: Measurements;
  identity: Pick<Identity, "isConfigured" | "authenticateHeader">;
  methods: readonly BoundCallable[];
}

/** Answers the page. */
export class MetricsPage {
  readonly #measurements: Measurements;
  readonly #identity: MetricsPageOptions["identity"];

  /** Adds the counters of the methods to what is measured. */
  constructor(options: MetricsPageOptions) {
    const { measurements, identity, methods } = options;
    this.#measurements = measurements;
    this.#identity = identity;
    measurements.addSource(() => callFigures(methods));
  }

  /** Takes all values of the authorization header. Rejects for a caller that may not read it. */
  async respond(authorization: readonly string[]): Promise<{ contentType: string; body: string }> {
    if (this.#identity.isConfigured) {
      checkReader(await this.#identity.authenticateHeader(authorization, "google"));
    }
    const body = prometheusText(await this.#measurements.collect());
    return { contentType: PROMETHEUS_CONTENT_TYPE, body };
  }
}

function checkReader({ scopes, grants, workerTypes }: Principal): void {
  const isWorker = workerTypes !== undefined && workerTypes !== null;
  if (scopes === null && grants === null && !isWorker) return;
  if (scopes?.includes(METRICS_SCOPE)) return;
  throw new RpcError("ACCESS_TOKEN_SCOPE_INSUFFICIENT", {
    ...{ method: `GET ${METRICS_PATH}`, scopes: METRICS_SCOPE },
  });
}

/** The counters of the methods that were called at least once. */
function callFigures(methods: readonly BoundCallable[]): Measured[] {
  const calls: Point[] = [];
  const inFlight: Point[] = [];
  for (const { declaration, fullName, counters } of methods) {
    let finished = 0;
    for (const [code, count] of counters.finished.entries()) {
      finished += count;
      if (count === 0) continue;
      calls.push(point(instruments.rpcCalls, [declaration.id, fullName, statusCodeName(code)], count));
    }
    if (finished + counters.inFlight === 0) continue;
    inFlight.push(point(instruments.rpcInFlight, [declaration.id, fullName], counters.inFlight));
  }
  return [
    { instrument: instruments.rpcCalls, points: calls },
    { instrument: instruments.rpcInFlight, points: inFlight },
  ];
}
