// How much room the slots have while one batch looks for operations to start: what the rows say, what earlier commands
// of the batch may free, and what was given already. `decide` has the last word; this only keeps blocked ones out.
import { slotText } from "../engine/decision.ts";

/** What limits a pending operation: all operations with the same values block and free each other alike. */
export interface SlotGroup {
  service: string;
  tenant: string;
  type: string;
  typeLimit: number;
  concurrencyKey: string;
  keyLimit: number;
}

export class SlotRoom {
  readonly #used: (text: string, group: SlotGroup, concurrencyKey: string) => number;
  /** Changes of this batch, by slotText. */
  readonly #changes: Map<string, number>;

  /** `used` answers how many use a slot, as the rows have it. */
  constructor(
    used: (text: string, group: SlotGroup, concurrencyKey: string) => number,
    changes: ReadonlyMap<string, number> = new Map(),
  ) {
    this.#used = used;
    this.#changes = new Map(changes);
  }

  /** The same room, to try in. */
  copy(): SlotRoom {
    return new SlotRoom(this.#used, this.#changes);
  }

  /** How many more of a group may start; Infinity without a limit. */
  free(group: SlotGroup): number {
    const { typeLimit, concurrencyKey, keyLimit } = group;
    let free = Number.POSITIVE_INFINITY;
    if (typeLimit > 0) free = typeLimit - this.#usedOf(group, "");
    if (keyLimit > 0 && concurrencyKey !== "") {
      free = Math.min(free, keyLimit - this.#usedOf(group, concurrencyKey));
    }
    return free;
  }

  /** One more of the group uses its slots. */
  take(group: SlotGroup): void {
    this.#change(group, 1);
  }

  /** One that uses its slots, or would have been given them, may not any more. */
  loosen(group: SlotGroup): void {
    this.#change(group, -1);
  }

  #usedOf(group: SlotGroup, concurrencyKey: string): number {
    const text = slotText({ ...group, concurrencyKey });
    return this.#used(text, group, concurrencyKey) + (this.#changes.get(text) ?? 0);
  }

  #change(group: SlotGroup, change: number): void {
    const { typeLimit, concurrencyKey: key, keyLimit } = group;
    const keys = [...(typeLimit > 0 ? [""] : []), ...(keyLimit > 0 && key !== "" ? [key] : [])];
    for (const concurrencyKey of keys) {
      const text = slotText({ ...group, concurrencyKey });
      this.#changes.set(text, (this.#changes.get(text) ?? 0) + change);
    }
  }
}
