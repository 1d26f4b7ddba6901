// Whether a server is ready, put together: its health, the watch on its store, and the figure of both.
import type { Logger } from "../../base/logger.ts";
import { type Measured, type Measurements, point } from "../../base/measurements.ts";
import { instruments } from "../../base/telemetry.ts";
import { HealthService } from "../../services/health/health-service.ts";
import { StoreWatch } from "./store-watch.ts";

export interface ReadinessOptions {
  /** The full names that the health service answers for. */
  serviceNames: readonly string[];
  /** Reads something small from the store; undefined: it is always there. */
  checkStore: (() => Promise<unknown>) | undefined;
  measurements: Measurements;
  logger: Logger;
}

/** Health that knows of the store. The caller closes the watch. */
export function createReadiness(options: ReadinessOptions): { health: HealthService; store: StoreWatch } {
  const { serviceNames, checkStore = async () => undefined, measurements, logger } = options;
  const store = new StoreWatch({
    check: checkStore,
    logger,
    onChange: (isUp) => health.setProblem("store", !isUp),
  });
  const health: HealthService = new HealthService(serviceNames, () => store.refresh());
  measurements.addSource(async (): Promise<Measured[]> => {
    await health.freshen();
    const { ready } = instruments;
    return [{ instrument: ready, points: [point(ready, [], health.isServing ? 1 : 0)] }];
  });
  return { health, store };
}
