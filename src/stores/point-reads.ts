// Point reads of one turn of the event loop travel as one: one message to a thread, one statement to a database.
import { keyText } from "../engine/decision.ts";
import type { OperationKey, StoredOperation } from "../engine/operation.ts";

/** Reads operations at once; answers one for each key, in order. */
export type ReadMany<Found = StoredOperation> = (
  keys: readonly OperationKey[],
) => Promise<readonly (Found | undefined)[]>;

interface PointRead<Found> {
  key: OperationKey;
  promise: Promise<Found | undefined>;
  resolve(found: Found | undefined): void;
  reject(error: unknown): void;
}

export class PointReads<Found = StoredOperation> {
  readonly #readMany: ReadMany<Found>;
  #waiting = new Map<string, PointRead<Found>>();

  constructor(readMany: ReadMany<Found>) {
    this.#readMany = readMany;
  }

  /**
   * Reads one operation. Two calls share a read only while it has not been sent: joining one under way could answer
   * a state older than a commit that was acknowledged before the second call.
   */
  read(key: OperationKey): Promise<Found | undefined> {
    const text = keyText(key);
    const waiting = this.#waiting.get(text);
    if (waiting) return waiting.promise;
    const read: PointRead<Found> = { key, ...Promise.withResolvers<Found | undefined>() };
    if (this.#waiting.size === 0) setImmediate(() => void this.#send());
    this.#waiting.set(text, read);
    return read.promise;
  }

  async #send(): Promise<void> {
    const reads = [...this.#waiting.values()];
    this.#waiting = new Map();
    try {
      const found = await this.#readMany(reads.map(({ key }) => key));
      for (const [index, read] of reads.entries()) read.resolve(found[index]);
    } catch (error) {
      for (const read of reads) read.reject(error);
    }
  }
}
