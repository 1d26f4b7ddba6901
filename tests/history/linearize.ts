// Is there an order of the calls to one operation that agrees with the times at which they were sent and answered, and in
// which every answer is right? (Wing and Gong's search, with a memory of what was tried.)
import type { Call } from "./history.ts";
import { apply, type Known, keyOf, nothing } from "./operation-model.ts";

/** More than any honest history needs by far; a search that needs more has decided nothing. */
const STEPS_MAX = 200_000;

export interface Verdict {
  kind: "linearizable" | "not linearizable" | "undecided";
  /** The longest order that was found, and what kept each call that could have come next from coming. */
  text: string;
}

/** Calls to one operation. Those without an end may be left out of the order, or come anywhere after their start. */
export function linearize(calls: readonly Call[]): Verdict {
  const search = new Search(calls.flatMap(parts).sort((a, b) => a.startMs - b.startMs));
  const isFound = search.run();
  if (isFound) return { kind: "linearizable", text: "" };
  return { kind: search.isExhausted ? "undecided" : "not linearizable", text: search.story() };
}

/** A cancel is answered with its verdict, and with the operation as it is read after that: those are two moments. */
function parts(call: Call): Call[] {
  if (call.what !== "cancel" || !call.view) return [call];
  const { verdict: _, ...read } = call;
  return [call, { ...read, what: "get" }];
}

class Search {
  readonly #calls: readonly Call[];
  readonly #tried = new Set<string>();
  readonly #taken: boolean[];
  readonly #order: number[] = [];
  #longest: readonly number[] = [];
  #problems: readonly string[] = [];
  #steps = 0;

  constructor(calls: readonly Call[]) {
    this.#calls = calls;
    this.#taken = calls.map(() => false);
  }

  get isExhausted(): boolean {
    return this.#steps > STEPS_MAX;
  }

  run(): boolean {
    return this.#from(nothing);
  }

  story(): string {
    const lines = this.#longest.map((index) => `  ${tell(this.#calls[index])}`);
    return ["in this order:", ...lines, "but then none of these:", ...this.#problems].join("\n");
  }

  #from(known: Known): boolean {
    if (this.#calls.every((call, index) => this.#taken[index] || isOpen(call))) return true;
    if (++this.#steps > STEPS_MAX) return false;
    const key = `${this.#taken.map(Number).join("")} ${keyOf(known)}`;
    if (this.#tried.has(key)) return false;
    this.#tried.add(key);
    const problems: string[] = [];
    for (const index of this.#candidates()) {
      const call = this.#calls[index];
      if (!call) continue;
      const next = apply(known, call);
      if (typeof next === "string") {
        problems.push(`  ${tell(call)}: ${next}`);
        continue;
      }
      const isNews = keyOf(next) !== keyOf(known);
      if (!isNews && isOpen(call)) continue;
      this.#taken[index] = true;
      this.#order.push(index);
      const isFound = this.#from(next);
      if (isFound) return true;
      this.#taken[index] = false;
      this.#order.pop();
      // An answer that shows what is known already changes nothing: if it cannot come now, nothing that follows can.
      if (!isNews) break;
    }
    if (this.#order.length > this.#longest.length || this.#longest.length === 0) {
      this.#longest = [...this.#order];
      this.#problems = problems;
    }
    return false;
  }

  /**
   * Calls that were sent before any of those that are left was answered; the lowest revision first. Of those without an
   * answer one of a kind will do: the others would do the same.
   */
  #candidates(): number[] {
    let firstEndMs = Number.POSITIVE_INFINITY;
    for (const [index, { endMs }] of this.#calls.entries())
      if (!this.#taken[index]) firstEndMs = Math.min(firstEndMs, endMs);
    const candidates: number[] = [];
    const open = new Set<string>();
    for (const [index, call] of this.#calls.entries()) {
      if (this.#taken[index] || call.startMs > firstEndMs || (isOpen(call) && open.has(call.what))) continue;
      if (isOpen(call)) open.add(call.what);
      candidates.push(index);
    }
    return candidates.sort((a, b) => this.#rank(a) - this.#rank(b));
  }

  #rank(index: number): number {
    const call = this.#calls[index];
    if (!call || isOpen(call)) return Number.MAX_SAFE_INTEGER;
    return call.view?.revision ?? 0;
  }
}

/** It was never answered: it may have come, or not. */
function isOpen({ endMs }: Call): boolean {
  return endMs === Number.POSITIVE_INFINITY;
}

function tell(call: Call | undefined): string {
  if (!call) return "";
  const { what, caller, node, startMs, endMs, outcome, view, verdict = "", refusal = "" } = call;
  const seen = view
    ? `revision ${view.revision} ${view.state} attempt ${view.attempt} cause "${view.cause ?? ""}"`
    : "";
  const times = `${startMs.toFixed(1)} to ${endMs.toFixed(1)}`;
  return [what, outcome, verdict, refusal, seen, `(${times}, ${caller} at ${node})`]
    .filter(Boolean)
    .join(" ");
}
