// Waiters: calls that are held until an operation is done. They hold no state that matters: a client that lost its
// Wait simply waits again.

import { RpcError } from "../base/rpc-error.ts";
import { startTimer, type Timer } from "../base/timers.ts";
import type { StoredOperation } from "./operation.ts";

/** Woken in slices of this many, so that heartbeats and other calls run in between (10,000 at once block for seconds). */
const WAKE_SLICE = 250;

/** Held waits of one server; at ~13 kB each with its call. */
const WAITERS_MAX = 50_000;

/** Why a wait ended; the caller reads the operation again. */
export type WakeCause = "done" | "timeout" | "gone" | "released";

/** `stored` is the operation as it ended, if that is at hand: nobody needs to read it again. */
export type OnWake = (cause: WakeCause, stored: StoredOperation | undefined) => void;

interface Waiter {
  key: string;
  wake: OnWake | null;
  /** How the operation stands, where whoever woke it knew. */
  stored: StoredOperation | undefined;
  timer: Timer | null;
  /** Others who wait for the same operation: mostly there is none, and a set for one is 200 bytes of garbage. */
  next: Waiter | null;
  previous: Waiter | null;
}

/** The open waits of a server, by operation. */
export class Waiters {
  /** The one who came last for each. */
  readonly #byKey = new Map<string, Waiter>();
  #count = 0;
  #ready: Waiter[] = [];
  #waking = false;

  get count(): number {
    return this.#count;
  }

  /** Registers a wait; throws OVERLOADED at the cap. The caller must read the operation only AFTER this call. */
  add(key: string, timeoutMs: number, wake: OnWake): { end(cause: WakeCause): void } {
    if (this.#count >= WAITERS_MAX) {
      throw new RpcError("OVERLOADED", { what: "held waits", limit: WAITERS_MAX }, { retryDelayMs: 1000 });
    }
    const next = this.#byKey.get(key) ?? null;
    const waiter: Waiter = { key, wake, stored: undefined, timer: null, next, previous: null };
    if (next) next.previous = waiter;
    this.#byKey.set(key, waiter);
    this.#count++;
    waiter.timer = startTimer(timeoutMs, () => this.#end(waiter, "timeout"), { unref: true });
    return { end: (cause) => this.#end(waiter, cause) };
  }

  /** True if somebody waits for this operation. */
  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** Wakes everybody who waits for this operation. */
  wake(key: string, stored?: StoredOperation): void {
    const last = this.#byKey.get(key);
    if (!last) return;
    for (let waiter: Waiter | null = last; waiter; waiter = waiter.next) {
      waiter.stored = stored;
      this.#ready.push(waiter);
    }
    if (!this.#waking) {
      this.#waking = true;
      this.#wakeSlice();
    }
  }

  /** Ends every wait: the server is draining, the callers get the current state and come again elsewhere. */
  releaseAll(): void {
    for (const key of [...this.#byKey.keys()]) {
      for (let last = this.#byKey.get(key); last; last = this.#byKey.get(key)) this.#end(last, "released");
    }
  }

  #wakeSlice(): void {
    const slice = this.#ready.splice(0, WAKE_SLICE);
    for (const waiter of slice) this.#end(waiter, "done");
    if (this.#ready.length > 0) setImmediate(() => this.#wakeSlice());
    else this.#waking = false;
  }

  #end(waiter: Waiter, cause: WakeCause): void {
    const { wake } = waiter;
    if (wake === null) return;
    waiter.wake = null;
    waiter.timer?.cancel();
    this.#count--;
    const { key, next, previous } = waiter;
    if (next) next.previous = previous;
    if (previous) previous.next = next;
    else if (next) this.#byKey.set(key, next);
    else this.#byKey.delete(key);
    // What is dead already, and was moved to the old generation, would keep the others alive.
    waiter.next = null;
    waiter.previous = null;
    wake(cause, waiter.stored);
  }
}
