// What the worker's main thread and its watchdog share: a few numbers in memory that both can reach at any time, so that a
// main thread that never pauses cannot keep the watchdog from what it must know.

/** Where each number lies. */
const END = 0;
const RUNNING = 1;
const VERSION = 2;
const STOP = 3;
const SIZE = 4;

/** The shared numbers; made once by the main thread, and given to the watchdog as they are. */
export class WatchdogMemory {
  readonly buffer: SharedArrayBuffer;
  readonly #numbers: BigInt64Array<SharedArrayBuffer>;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(SIZE * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#numbers = new BigInt64Array(buffer);
  }

  /** When the lease ends: nanoseconds of the machine's monotonic clock; 0 while there is none. */
  get endNs(): bigint {
    return Atomics.load(this.#numbers, END);
  }

  set endNs(value: bigint) {
    const before = Atomics.exchange(this.#numbers, END, value);
    // A later end need not wake anybody: at the old one the watchdog looks again.
    if (before === 0n || value < before) this.#wake();
  }

  /** How many attempts have begun whose work has not stopped. */
  get running(): bigint {
    return Atomics.load(this.#numbers, RUNNING);
  }

  began(): void {
    if (Atomics.add(this.#numbers, RUNNING, 1n) === 0n) this.#wake();
  }

  stopped(): void {
    Atomics.sub(this.#numbers, RUNNING, 1n);
  }

  get isOver(): boolean {
    return Atomics.load(this.#numbers, STOP) !== 0n;
  }

  /** The watchdog is to end. */
  end(): void {
    Atomics.store(this.#numbers, STOP, 1n);
    this.#wake();
  }

  /** Moves with every change that may bring the kill forward. */
  get version(): bigint {
    return Atomics.load(this.#numbers, VERSION);
  }

  /** Blocks the calling thread until the version is another one, or the time is over. */
  wait(version: bigint, timeoutMs: number): void {
    Atomics.wait(this.#numbers, VERSION, version, timeoutMs);
  }

  #wake(): void {
    Atomics.add(this.#numbers, VERSION, 1n);
    Atomics.notify(this.#numbers, VERSION);
  }
}
