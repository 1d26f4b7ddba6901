// What was sent on a stream and not yet taken by its connection: counted in bytes, so that a client that does not read
// costs a bounded amount of memory. Who sends is told when to stop, and when there is room again.

/** Above this the sender is told to stop; below half of it there is room again. */
export const OUTLET_BYTES_MAX = 65_536;

/** Hands bytes to the connection; `taken` is called once they have left this process's hands. */
export type WriteBytes = (bytes: Uint8Array, taken: () => void) => void;

export class StreamOutlet {
  readonly #write: WriteBytes;
  readonly #onRoom: (() => void)[] = [];
  #bufferedBytes = 0;
  #isFull = false;

  constructor(write: WriteBytes) {
    this.#write = write;
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** False: the client does not read; send no more until there is room. The bytes themselves are sent. */
  push(bytes: Uint8Array): boolean {
    const { length } = bytes;
    this.#bufferedBytes += length;
    if (this.#bufferedBytes > OUTLET_BYTES_MAX) this.#isFull = true;
    this.#write(bytes, () => this.#taken(length));
    return !this.#isFull;
  }

  /** Called each time there is room again. */
  onRoom(callback: () => void): void {
    this.#onRoom.push(callback);
  }

  #taken(length: number): void {
    this.#bufferedBytes -= length;
    if (!this.#isFull || this.#bufferedBytes > OUTLET_BYTES_MAX / 2) return;
    this.#isFull = false;
    for (const callback of this.#onRoom) callback();
  }
}
