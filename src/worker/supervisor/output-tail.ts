// Keeps the end of an output stream within a bound, and counts the rest.
import type { CapturedOutput } from "./supervisor-messages.ts";

/** How much of an output stream is kept. */
export const OUTPUT_TAIL_BYTES = 65_536;

/** The last 64 KiB of a stream. */
export class OutputTail {
  #chunks: Buffer[] = [];
  #kept = 0;
  #bytes = 0;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#kept += chunk.length;
    this.#bytes += chunk.length;
    // At most twice the bound is held, so that a stream of small chunks is not copied again and again.
    if (this.#kept > 2 * OUTPUT_TAIL_BYTES) this.#cut();
  }

  capture(): CapturedOutput {
    const tail = this.#cut();
    // A cut in the middle of a character leaves its continuation bytes (10xxxxxx) at the start.
    let start = 0;
    if (tail.length < this.#bytes) while (start < 3 && ((tail[start] ?? 0) & 0xc0) === 0x80) start++;
    return { tail: tail.toString("utf8", start), bytes: this.#bytes };
  }

  #cut(): Buffer {
    const tail = Buffer.concat(this.#chunks).subarray(-OUTPUT_TAIL_BYTES);
    this.#chunks = [tail];
    this.#kept = tail.length;
    return tail;
  }
}
