// Point reads that miss the cache: those asked for in one turn of the event loop travel as one message.
import { keyText } from "../../engine/decision.ts";
import type { OperationKey, StoredOperation } from "../../engine/operation.ts";
import type { CacheRead, OperationCache } from "./operation-cache.ts";
import { rowBytes, rowToStoredOperation, type StoredRow } from "./rows.ts";
import type { ThreadClient } from "./thread-client.ts";
import { keyParts, type ReaderCalls } from "./thread-messages.ts";

interface PointRead {
  key: OperationKey;
  promise: Promise<StoredOperation | undefined>;
  resolve(stored: StoredOperation | undefined): void;
  reject(error: unknown): void;
}

export class PointReads {
  readonly #cache: OperationCache;
  readonly #reader: () => Promise<ThreadClient<ReaderCalls>>;
  #waiting = new Map<string, PointRead>();

  constructor(cache: OperationCache, reader: () => Promise<ThreadClient<ReaderCalls>>) {
    this.#cache = cache;
    this.#reader = reader;
  }

  /**
   * Reads one operation. Two calls share a read only while it has not been sent: joining one under way could answer
   * a state older than a commit that was acknowledged before the second call.
   */
  read(key: OperationKey): Promise<StoredOperation | undefined> {
    const text = keyText(key);
    const waiting = this.#waiting.get(text);
    if (waiting) return waiting.promise;
    const read: PointRead = { key, ...Promise.withResolvers<StoredOperation | undefined>() };
    if (this.#waiting.size === 0) setImmediate(() => void this.#send());
    this.#waiting.set(text, read);
    return read.promise;
  }

  async #send(): Promise<void> {
    const reads = [...this.#waiting.values()];
    this.#waiting = new Map();
    const brackets = reads.map(({ key }) => this.#cache.beginRead(key));
    try {
      const reader = await this.#reader();
      const rows = await reader.call(
        "getOperations",
        reads.map(({ key }) => keyParts(key)),
      );
      for (const [index, read] of reads.entries())
        read.resolve(this.#end(brackets[index], rows[index] ?? null));
    } catch (error) {
      for (const [index, read] of reads.entries()) {
        this.#end(brackets[index], null);
        read.reject(error);
      }
    }
  }

  #end(bracket: CacheRead | undefined, row: StoredRow | null): StoredOperation | undefined {
    if (!bracket) return undefined;
    const stored = row === null ? undefined : rowToStoredOperation(row);
    return this.#cache.endRead(bracket, stored, row === null ? 0 : rowBytes(row));
  }
}
