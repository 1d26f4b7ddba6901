// What each tenant takes of the server: its calls in flight, and its part of the calls that came lately. So one tenant's
// flood is refused at that tenant, and the others hardly notice (L5).

/** Arrivals are counted over the last one to two windows. */
const WINDOW_MS = 500;

interface Share {
  inFlight: number;
  arrived: number;
  arrivedBefore: number;
}

export class TenantShares {
  #shares = new Map<string, Share>();
  #windowStartMs = 0;
  #arrived = 0;
  #arrivedBefore = 0;

  /** A call of the tenant came, admitted or not. */
  arrived(tenant: string, nowMs: number): void {
    this.#roll(nowMs);
    this.#shareOf(tenant).arrived++;
    this.#arrived++;
  }

  /** A call was admitted. */
  entered(tenant: string): void {
    this.#shareOf(tenant).inFlight++;
  }

  /** An admitted call is over. */
  left(tenant: string): void {
    const share = this.#shares.get(tenant);
    if (share && share.inFlight > 0) share.inFlight--;
  }

  inFlight(tenant: string): number {
    return this.#shares.get(tenant)?.inFlight ?? 0;
  }

  /** Calls in flight of the tenant that has most. */
  get inFlightMost(): number {
    let most = 0;
    for (const { inFlight } of this.#shares.values()) most = Math.max(most, inFlight);
    return most;
  }

  /** True if the tenant sends less than its equal part of what came lately: whatever is slow, others make it so. */
  isModest(tenant: string): boolean {
    const share = this.#shares.get(tenant);
    if (!share) return true;
    const own = share.arrived + share.arrivedBefore;
    return own * this.#shares.size < this.#arrived + this.#arrivedBefore;
  }

  #shareOf(tenant: string): Share {
    let share = this.#shares.get(tenant);
    if (share === undefined) {
      share = { inFlight: 0, arrived: 0, arrivedBefore: 0 };
      this.#shares.set(tenant, share);
    }
    return share;
  }

  /** Begins a new window where one has passed; tenants that have gone quiet are forgotten. */
  #roll(nowMs: number): void {
    const passed = nowMs - this.#windowStartMs;
    if (passed < WINDOW_MS) return;
    const isNext = passed < 2 * WINDOW_MS;
    this.#windowStartMs = nowMs;
    this.#arrivedBefore = isNext ? this.#arrived : 0;
    this.#arrived = 0;
    for (const [tenant, share] of this.#shares) {
      share.arrivedBefore = isNext ? share.arrived : 0;
      share.arrived = 0;
      if (share.arrivedBefore === 0 && share.inFlight === 0) this.#shares.delete(tenant);
    }
  }
}
