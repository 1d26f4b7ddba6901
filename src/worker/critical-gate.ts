// Holds an abort back while critical sections run (G7): it is delayed, never dropped. Knows nothing of time: how long it
// may be held is the attempt's matter (stop-ladder.ts), which then says `cut`.
import type { OperationAborted } from "../base/abort-reasons.ts";

export interface GateListener {
  /** Let the work know. Called once. */
  fire(reason: OperationAborted): void;
  /** An abort has come, and the section of this name holds it back. */
  deferred(section: string): void;
}

/** The sections of one attempt; they may be nested and may overlap. */
export class CriticalGate {
  readonly #listener: GateListener;
  /** In the order in which they were entered. */
  readonly #sections = new Map<symbol, string>();
  #pending: OperationAborted | undefined;
  #hasFired = false;

  constructor(listener: GateListener) {
    this.#listener = listener;
  }

  /** The section that was entered last, or null. */
  get section(): string | null {
    return [...this.#sections.values()].at(-1) ?? null;
  }

  /** Enters a section; the answer leaves it, and fires the abort that the last section held back before it returns. */
  enter(section: string): () => void {
    const id = Symbol(section);
    this.#sections.set(id, section);
    return () => {
      this.#sections.delete(id);
      if (this.#sections.size === 0) this.cut();
    };
  }

  /** Fires, or waits for the sections. While it waits, another reason takes the place of the first. */
  abort(reason: OperationAborted): void {
    if (this.#hasFired) return;
    const wasPending = this.#pending !== undefined;
    this.#pending = reason;
    const { section } = this;
    if (section === null) this.cut();
    else if (!wasPending) this.#listener.deferred(section);
  }

  /** Fires what waits, whatever section runs. */
  cut(): void {
    const reason = this.#pending;
    if (reason === undefined) return;
    this.#pending = undefined;
    this.#hasFired = true;
    this.#listener.fire(reason);
  }
}
