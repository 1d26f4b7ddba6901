// Refuses calls while the database is away: each would wait for it until its deadline, and all of them would come down on
// it at once when it is back.
import { randomFraction } from "../../base/random.ts";
import { RpcError } from "../../base/rpc-error.ts";
import type { MethodKind } from "../../services/service-declaration.ts";
import type { StoreWatch } from "../readiness/store-watch.ts";
import type { ServerCall } from "../server-call.ts";
import type { Interceptor } from "./interceptor.ts";

const RETRY_DELAY_MAX_MS = 1000;

/** A good answer of these has been to the store. Watches and workers' streams end long after they were. */
const servedKinds: ReadonlySet<MethodKind> = new Set<MethodKind>([
  "get",
  "list",
  "start",
  "cancel",
  "delete",
]);

/** Makes the interceptor. What needs no store, that is probes and what is open to everybody, passes. */
export function createStoreGate(store: StoreWatch): Interceptor {
  return {
    before({ method }: ServerCall): undefined {
      if (store.isUp || needsNoStore(method.service)) return;
      const retryDelayMs = Math.round((RETRY_DELAY_MAX_MS / 2) * (1 + randomFraction()));
      throw new RpcError("STORAGE_UNREACHABLE", {}, { retryDelayMs });
    },
    after({ method }: ServerCall, error: RpcError | null): void {
      if (error === null) {
        if (servedKinds.has(method.kind) && !needsNoStore(method.service)) store.served();
      } else if (error.reason === "STORAGE_UNAVAILABLE") store.suspect();
    },
  };
}

function needsNoStore({ isPublic, isProbe }: { isPublic?: boolean; isProbe?: boolean }): boolean {
  return isPublic === true || isProbe === true;
}
