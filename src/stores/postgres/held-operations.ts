// Operations that sessions of this process hold, as last committed by it: their reports come soon, and need no read. Another
// node may have changed them since, so every write of one is a compare-and-set on its version.
import { dropOldest } from "../../base/drop-oldest.ts";
import { keyText } from "../../engine/decision.ts";
import type { OperationKey, StoredOperation } from "../../engine/operation.ts";

export interface HeldOperation {
  stored: StoredOperation;
  version: number;
}

/** About 2 kB each. */
const HELD_MAX = 16_384;

export class HeldOperations {
  readonly #held = new Map<string, HeldOperation>();

  get(text: string): HeldOperation | undefined {
    return this.#held.get(text);
  }

  /** What a commit of this process has changed, with the versions that it wrote. */
  committed(changed: readonly StoredOperation[], versionOf: (text: string) => number): void {
    for (const stored of changed) {
      const text = keyText(stored.record);
      this.#held.delete(text);
      if (stored.record.lease !== null) this.#held.set(text, { stored, version: versionOf(text) });
    }
    dropOldest(this.#held, HELD_MAX);
  }

  /** Another process has changed it. */
  drop(key: OperationKey): void {
    this.#held.delete(keyText(key));
  }

  /** Nobody knows what the last commit did. */
  clear(): void {
    this.#held.clear();
  }
}
