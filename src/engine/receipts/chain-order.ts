// Follows the sequence of entries and checkpoints in a file, and says what is missing, twice or out of order. No hashes are
// computed here.
import type { FindingKind } from "./verify-chain.ts";

/** Gaps are remembered to tell a swap from a loss; more of them than this are all told as missing. */
const GAPS_MAX = 10_000;

type Report = (kind: FindingKind, detail: string) => void;

export class ChainOrder {
  readonly #report: Report;
  #sequence: number;
  #hash: string;
  /** False behind a gap: the next entry's hash cannot be checked, since what it stands on is not known. */
  #isHashKnown = true;
  /** Sequences that were passed over and may still come. */
  readonly #gaps = new Set<number>();
  #gapsLost = 0;
  /** Checkpoints of entries that did not come yet. */
  #ahead: { sequence: number; hash: string }[] = [];
  #lastCheckpoint = 0;

  constructor(after: number, afterHash: string, report: Report) {
    this.#sequence = after;
    this.#hash = afterHash;
    this.#report = report;
  }

  /** The highest sequence so far. */
  get sequence(): number {
    return this.#sequence;
  }

  get hash(): string {
    return this.#hash;
  }

  /** Takes an entry; answers the hash of the one before it, if that stands right before it. */
  entry(sequence: number, hash: string): string | undefined {
    if (sequence <= this.#sequence) {
      const wasMissed = this.#gaps.delete(sequence);
      this.#report("reordered", `entry ${sequence} ${wasMissed ? "comes too late" : "is there twice"}`);
      return undefined;
    }
    const isNext = sequence === this.#sequence + 1;
    for (let missed = this.#sequence + 1; missed < sequence; missed++) {
      if (this.#gaps.size >= GAPS_MAX) {
        this.#gapsLost += sequence - missed;
        break;
      }
      this.#gaps.add(missed);
    }
    const previous = isNext && this.#isHashKnown ? this.#hash : undefined;
    this.#sequence = sequence;
    this.#hash = hash;
    this.#isHashKnown = true;
    this.#meetCheckpoints();
    return previous;
  }

  /** Takes a checkpoint; true if it stands behind its entry and is about it. */
  checkpoint(sequence: number, hash: string): boolean {
    if (sequence < this.#lastCheckpoint || sequence < this.#sequence) {
      this.#report("reordered", `the checkpoint at ${sequence} comes too late`);
      return false;
    }
    this.#lastCheckpoint = sequence;
    if (sequence > this.#sequence) {
      this.#ahead.push({ sequence, hash });
      return false;
    }
    if (hash !== this.#hash) {
      this.#report("changed", `the checkpoint at ${sequence} is about another entry`);
      return false;
    }
    return true;
  }

  /** The file is over. */
  finish(): void {
    for (const range of ranges([...this.#gaps].sort((a, b) => a - b))) {
      this.#report("missing", `${range} missing`);
    }
    if (this.#gapsLost > 0) this.#report("missing", `${this.#gapsLost} more entries are missing`);
    const furthest = this.#ahead.at(-1);
    if (furthest)
      this.#report(
        "truncated",
        `a checkpoint is about entry ${furthest.sequence}; the entries end at ${this.#sequence}`,
      );
  }

  /** Checkpoints that came before their entry, which is here now, or is left out. */
  #meetCheckpoints(): void {
    if (this.#ahead.length === 0) return;
    for (const { sequence } of this.#ahead) {
      if (sequence > this.#sequence) continue;
      this.#report("reordered", `the checkpoint at ${sequence} comes before its entry`);
    }
    this.#ahead = this.#ahead.filter(({ sequence }) => sequence > this.#sequence);
  }
}

function ranges(sorted: readonly number[]): string[] {
  const found: { from: number; to: number }[] = [];
  for (const sequence of sorted) {
    const last = found.at(-1);
    if (last && last.to === sequence - 1) last.to = sequence;
    else found.push({ from: sequence, to: sequence });
  }
  return found.map(({ from, to }) => (from === to ? `entry ${from} is` : `entries ${from} to ${to} are`));
}
