// Operations at hand on the main thread: what was last committed or read, so that a Get is answered without a thread.
// The store is the only writer, so an entry is right until a commit replaces it; that happens before the commit is
// acknowledged.
import { keyText } from "../../engine/decision.ts";
import type { OperationKey, StoredOperation } from "../../engine/operation.ts";

interface Entry {
  stored: StoredOperation;
  bytes: number;
}

/** What one entry takes beside its row's own texts and bytes: the record's objects, the map's slot, the key. */
const ENTRY_BYTES = 1500;

/** Keeps the operations that were used last, bounded by bytes. */
export class OperationCache {
  readonly #capacity: number;
  /** In the order of their last use. */
  readonly #entries = new Map<string, Entry>();
  /** Reads under way, by key: a commit marks those that it made stale. */
  readonly #reads = new Map<string, Set<CacheRead>>();
  #bytes = 0;

  constructor(capacityBytes: number) {
    this.#capacity = capacityBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: OperationKey): StoredOperation | undefined {
    const text = keyText(key);
    const entry = this.#entries.get(text);
    if (!entry) return undefined;
    this.#entries.delete(text);
    this.#entries.set(text, entry);
    return entry.stored;
  }

  /** A commit made this the operation's state. */
  committed(stored: StoredOperation, bytes: number): void {
    const text = keyText(stored.record);
    for (const read of this.#reads.get(text) ?? []) read.isStale = true;
    // A reader may have seen a later commit before this one's reply came.
    if (this.#isNewer(text, stored)) this.#put(text, stored, bytes);
  }

  /** The operation is gone. */
  removed(key: OperationKey): void {
    const text = keyText(key);
    for (const read of this.#reads.get(text) ?? []) read.isStale = true;
    this.#drop(text);
  }

  /** Nobody knows what the last commit did. */
  clear(): void {
    for (const reads of this.#reads.values()) for (const read of reads) read.isStale = true;
    this.#entries.clear();
    this.#bytes = 0;
  }

  /**
   * Brackets a read of one key, so that it cannot put an old row back (S14):
   *
   *   the read sees revision 3 -> revision 4 is committed, cached, and soon dropped for room -> the read's answer comes.
   *   Cached now, revision 3 would be served to callers that have already seen 4.
   */
  beginRead(key: OperationKey): CacheRead {
    const text = keyText(key);
    const read: CacheRead = { text, isStale: false };
    const reads = this.#reads.get(text);
    if (reads) reads.add(read);
    else this.#reads.set(text, new Set([read]));
    return read;
  }

  /** Takes over what a read found, unless a commit overtook it. Answers the newest that is known. */
  endRead(read: CacheRead, stored: StoredOperation | undefined, bytes: number): StoredOperation | undefined {
    const reads = this.#reads.get(read.text);
    reads?.delete(read);
    if (reads?.size === 0) this.#reads.delete(read.text);
    if (!stored) return undefined;
    if (read.isStale) return this.#newest(read.text, stored);
    return this.seen(stored, bytes, true);
  }

  /**
   * A reader saw this state: what is older must not be served after it. Without `keep` it only replaces an older
   * entry: a walk through a long list does not drive out what is used.
   */
  seen(stored: StoredOperation, bytes: number, keep: boolean): StoredOperation {
    const text = keyText(stored.record);
    if (this.#isNewer(text, stored) && (keep || this.#entries.has(text))) this.#put(text, stored, bytes);
    return this.#newest(text, stored);
  }

  #isNewer(text: string, { record }: StoredOperation): boolean {
    const known = this.#entries.get(text);
    return known === undefined || known.stored.record.revision <= record.revision;
  }

  #newest(text: string, stored: StoredOperation): StoredOperation {
    const known = this.#entries.get(text)?.stored;
    return known && known.record.revision > stored.record.revision ? known : stored;
  }

  #put(text: string, stored: StoredOperation, rowBytes: number): void {
    this.#drop(text);
    const bytes = rowBytes + ENTRY_BYTES;
    if (bytes > this.#capacity) return;
    this.#entries.set(text, { stored, bytes });
    this.#bytes += bytes;
    // Not even an iterator is made without need: it begins with stepping over all that was deleted from the map's front.
    if (this.#bytes <= this.#capacity) return;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#capacity) break;
      this.#drop(oldest);
    }
  }

  #drop(text: string): void {
    const entry = this.#entries.get(text);
    if (!entry) return;
    this.#entries.delete(text);
    this.#bytes -= entry.bytes;
  }
}

/** A read under way. */
export interface CacheRead {
  readonly text: string;
  isStale: boolean;
}
