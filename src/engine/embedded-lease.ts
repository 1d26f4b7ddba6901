// Renews the lease of a session whose worker runs in this process, on a store that other processes share. Such a worker may
// be stopped with its process (SIGSTOP) and go on later: so it has a lease like any other, and is not guarded.
import { monotonicMs } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { startTimer } from "../base/timers.ts";
import type { Session } from "./session.ts";

/** As a worker elsewhere has it by default. */
export const EMBEDDED_LEASE_MS = 15_000;

const BEATS_PER_LEASE = 3;

/** After a heartbeat that the store could not take. */
const RETRY_MS = 500;

/**
 * Keeps the session's lease until the session ends. `sentMs` is when the command that opened it was sent: the worker
 * counts from there, so that it believes its lease over before the store does. What it cannot renew passes: the worker
 * stops its work by its own clock (`Session.leaseEndMs`), and hears `expired` when the store is back.
 */
export function keepLease(session: Session, sentMs: number, logger: Logger): void {
  const { leaseMs } = session.facts;
  session.renewedUntil(sentMs + leaseMs);
  const schedule = (delayMs: number): void => {
    startTimer(delayMs, () => void beat(), { unref: true });
  };
  const beat = async (): Promise<void> => {
    if (session.hasEnded) return;
    const startMs = monotonicMs();
    try {
      if ((await session.heartbeat()) === null) return;
      session.renewedUntil(startMs + leaseMs);
      schedule(leaseMs / BEATS_PER_LEASE);
    } catch (error) {
      const leftMs = Math.round(session.leaseEndMs - monotonicMs());
      logger.warn({ err: error, session: session.id, leftMs }, "a lease of this process was not renewed");
      schedule(RETRY_MS);
    }
  };
  schedule(leaseMs / BEATS_PER_LEASE);
}
