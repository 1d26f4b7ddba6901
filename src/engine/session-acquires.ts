// A session's slots, and when it asks the store for work to fill them with.

/**
 * One acquire asks for so many at most. With more slots than that a session's work is in parts: while one is granted, the one
 * before it is completed, each on a lane of the store.
 */
const ACQUIRE_MAX = 256;

interface AcquirePorts {
  slots: number;
  /** False: no new work is wanted now. */
  mayTake(): boolean;
  /**
   * Asks the store for up to `limit` operations; `onlyStarted`: of those that are started in the same batch. How many it granted;
   * null if that is not known.
   */
  acquire(limit: number, onlyStarted: boolean): Promise<number | null>;
}

export class SessionAcquires {
  readonly #ports: AcquirePorts;
  /** Slots in use, as the worker counts them: given, and not said to be free. */
  #occupied = 0;
  /** Slots that acquires under way may fill. */
  #asking = 0;
  #underWay = 0;
  #isLooking = false;
  #isLookDue = false;
  #isPaused = false;
  /** False: the last acquire got less than it asked for, and nothing was heard since. */
  #mayHaveWork = true;
  #whenIdle: (() => void) | null = null;

  constructor(ports: AcquirePorts) {
    this.#ports = ports;
  }

  /** Slots that may take new work; 0 while none is wanted. */
  get free(): number {
    if (this.#isPaused || !this.#ports.mayTake()) return 0;
    return Math.max(0, this.#ports.slots - this.#occupied - this.#asking);
  }

  /** So many of what an acquire asked for have come; before its own answer. */
  granted(count: number): void {
    this.#occupied += count;
    this.#asking -= count;
  }

  freed(count: number): void {
    this.#occupied = Math.max(0, this.#occupied - count);
    if (!this.#mayHaveWork || this.#isLookDue) return;
    // The ends of one commit free their slots one by one, in one go: one acquire asks for all of them.
    this.#isLookDue = true;
    queueMicrotask(() => {
      this.#isLookDue = false;
      if (this.#mayHaveWork) this.#look();
    });
  }

  /** The worker is here anew, with so many slots in use. */
  occupy(count: number): void {
    this.#occupied = count;
  }

  /** Asks for as much as there is room for; called whenever some work may be there. */
  workMayBeReady(): void {
    this.#mayHaveWork = true;
    this.#look();
  }

  /**
   * Asks for operations that are about to be started, so many at most, in the batch that starts them; answers for how many.
   * Where others may be there before them, those go first, and what is left over then is found as any other work. Where none
   * may, the store is not asked for any: on PostgreSQL that is a round trip, in which the batch has locks.
   */
  takeStarted(count: number): number {
    const limit = Math.min(count, this.free);
    if (limit > 0) void this.#acquire(limit, !this.#mayHaveWork);
    return limit;
  }

  /** Runs `work` while no acquire is under way; answers null, at once, where that is being done already. */
  async undisturbed<T>(work: () => Promise<T>): Promise<T | null> {
    if (this.#isPaused) return null;
    this.#isPaused = true;
    try {
      if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve));
      return await work();
    } finally {
      this.#asking = 0; // also of what `work` has granted, which nobody asked for
      this.#isPaused = false;
      this.workMayBeReady();
    }
  }

  #look(): void {
    if (!this.#isLooking && this.free > 0) void this.#fill();
  }

  async #fill(): Promise<void> {
    this.#isLooking = true;
    while (this.#mayHaveWork && this.free > 0) {
      this.#mayHaveWork = false;
      const limit = Math.min(this.free, ACQUIRE_MAX);
      const granted = await this.#acquire(limit);
      if (granted === limit) this.#mayHaveWork = true;
    }
    this.#isLooking = false;
  }

  async #acquire(limit: number, onlyStarted = false): Promise<number | null> {
    this.#asking += limit;
    this.#underWay++;
    const granted = await this.#ports.acquire(limit, onlyStarted);
    this.#underWay--;
    this.#asking -= limit - (granted ?? 0);
    if (this.#underWay === 0) this.#whenIdle?.();
    return granted;
  }
}
