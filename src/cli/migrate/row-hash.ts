// A hash over the rows of a table that does not depend on their order: both stores can be asked for theirs as it suits
// them, and need not sort millions of rows alike.
import { hash } from "node:crypto";

/** What both drivers answer for a column. */
export type CellValue = null | number | string | Uint8Array;

const LANES = 4;

/**
 * SHA-256 of each row, added up lane by lane. It finds what a copy can get wrong: a row that is lost, doubled or changed.
 * It is no proof against somebody who makes rows to cheat it.
 */
export class RowHash {
  readonly #sums: bigint[] = new Array<bigint>(LANES).fill(0n);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(row: readonly CellValue[]): void {
    // One text a row, hashed at once: fed value by value, hashing took as long as all the rest of a move.
    const digest = hash("sha256", row.map(textOf).join(""), "buffer");
    for (let lane = 0; lane < LANES; lane++) {
      this.#sums[lane] = BigInt.asUintN(64, (this.#sums[lane] ?? 0n) + digest.readBigUInt64BE(8 * lane));
    }
    this.#count++;
  }

  /** 64 hex digits. */
  get text(): string {
    return this.#sums.map((sum) => sum.toString(16).padStart(16, "0")).join("");
  }
}

/** Kind and length keep values apart: null is not "", and ("a", "bc") is not ("ab", "c"). */
function textOf(value: CellValue): string {
  if (value === null) return "z;";
  if (typeof value === "number") return `n${value};`;
  if (typeof value === "string") return `s${value.length}:${value};`;
  return `b${value.byteLength}:${hash("sha256", value, "base64")};`;
}
