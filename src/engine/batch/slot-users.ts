// The slots of a batch: how many operations use each while it is decided. An operation uses its slots while it has a
// lease or is held, so a count can be told from the records alone.
import { type SlotKey, slotsOf, slotText } from "../decision.ts";
import type { OperationRecord } from "../operation.ts";

function isUser(record: OperationRecord | null): boolean {
  return record !== null && (record.lease !== null || record.held !== null);
}

export class SlotUsers {
  readonly #known: ReadonlyMap<string, number>;
  readonly #changed = new Map<string, SlotKey & { used: number }>();

  constructor(known: ReadonlyMap<string, number>) {
    this.#known = known;
  }

  /** True if the operation may take a lease: it has its slots already, or none of them is full. */
  areFree(record: OperationRecord): boolean {
    return isUser(record) || slotsOf(record).every((slot) => this.#used(slotText(slot)) < slot.limit);
  }

  /** An operation changed. */
  moved(before: OperationRecord | null, after: OperationRecord): void {
    const change = Number(isUser(after)) - Number(isUser(before));
    if (change === 0) return;
    for (const { limit: _, ...slot } of slotsOf(after)) {
      const text = slotText(slot);
      this.#changed.set(text, { ...slot, used: this.#used(text) + change });
    }
  }

  changes(): (SlotKey & { used: number })[] {
    return [...this.#changed.values()];
  }

  #used(text: string): number {
    return this.#changed.get(text)?.used ?? this.#known.get(text) ?? 0;
  }
}
