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

/**
 * Keeps the operations that were used last, bounded by bytes: about in that order. What is used moves to the younger half; when
 * that is full, the older half is dropped as a whole, and the younger one takes its place. One list in exact order took a tenth
 * of this thread's time: each use was a delete and an insert, and each commit dropped as many entries, one by one.
 */
export class OperationCache {
  readonly #halfCapacity: number;
  #younger = new Map<string, Entry>();
  #older = new Map<string, Entry>();
  #youngerBytes = 0;
  #olderBytes = 0;
  /** Reads under way, by key: a commit marks those that it made stale. */
  readonly #reads = new Map<string, Set<CacheRead>>();

  constructor(capacityBytes: number) {
    this.#halfCapacity = capacityBytes / 2;
  }

  get bytes(): number {
    return this.#youngerBytes + this.#olderBytes;
  }

  get(key: OperationKey): StoredOperation | undefined {
    const text = keyText(key);
    const young = this.#younger.get(text);
    if (young) return young.stored;
    const entry = this.#older.get(text);
    if (!entry) return undefined;
    this.#older.delete(text);
    this.#olderBytes -= entry.bytes;
    this.#add(text, entry);
    return entry.stored;
  }

  /** A commit made this the operation's state. */
  committed(stored: StoredOperation, bytes: number): void {
    const text = keyText(stored.record);
    this.#overtakeReads(text);
    // A reader may have seen a later commit before this one's reply came.
    if (this.#isNewer(text, stored)) this.#put(text, stored, bytes);
  }

  /** The operation is gone. */
  removed(key: OperationKey): void {
    const text = keyText(key);
    this.#overtakeReads(text);
    this.#drop(text);
  }

  /** Nobody knows what the last commit did. */
  clear(): void {
    for (const reads of this.#reads.values()) for (const read of reads) read.isStale = true;
    this.#younger.clear();
    this.#older.clear();
    this.#youngerBytes = 0;
    this.#olderBytes = 0;
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
    if (this.#isNewer(text, stored) && (keep || this.#find(text) !== undefined))
      this.#put(text, stored, bytes);
    return this.#newest(text, stored);
  }

  #overtakeReads(text: string): void {
    if (this.#reads.size === 0) return;
    for (const read of this.#reads.get(text) ?? []) read.isStale = true;
  }

  #find(text: string): StoredOperation | undefined {
    return (this.#younger.get(text) ?? this.#older.get(text))?.stored;
  }

  #isNewer(text: string, { record }: StoredOperation): boolean {
    const known = this.#find(text);
    return known === undefined || known.record.revision <= record.revision;
  }

  #newest(text: string, stored: StoredOperation): StoredOperation {
    const known = this.#find(text);
    return known && known.record.revision > stored.record.revision ? known : stored;
  }

  #put(text: string, stored: StoredOperation, rowBytes: number): void {
    const bytes = rowBytes + ENTRY_BYTES;
    const young = this.#younger.get(text);
    if (young && this.#youngerBytes - young.bytes + bytes <= this.#halfCapacity) {
      this.#youngerBytes += bytes - young.bytes;
      young.stored = stored;
      young.bytes = bytes;
      return;
    }
    this.#drop(text);
    this.#add(text, { stored, bytes });
  }

  #add(text: string, entry: Entry): void {
    if (entry.bytes > this.#halfCapacity) return;
    if (this.#youngerBytes + entry.bytes > this.#halfCapacity) {
      this.#older = this.#younger;
      this.#olderBytes = this.#youngerBytes;
      this.#younger = new Map();
      this.#youngerBytes = 0;
    }
    this.#younger.set(text, entry);
    this.#youngerBytes += entry.bytes;
  }

  #drop(text: string): void {
    const young = this.#younger.get(text);
    if (young) {
      this.#younger.delete(text);
      this.#youngerBytes -= young.bytes;
      return;
    }
    const old = this.#older.get(text);
    if (!old) return;
    this.#older.delete(text);
    this.#olderBytes -= old.bytes;
  }
}

/** A read under way. */
export interface CacheRead {
  readonly text: string;
  isStale: boolean;
}
