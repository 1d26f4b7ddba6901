// Tokens are kept and compared as SHA-256 hashes only, in constant time.
import { hash, timingSafeEqual } from "node:crypto";

/** The SHA-256 of a token: what the configuration holds of it. */
export function tokenHash(token: string): Buffer {
  return hash("sha256", token, "buffer");
}

/** Entries by the hash of their token. */
export class HashedTokens<Entry extends { readonly sha256: string }> {
  readonly #buckets = new Map<number, { digest: Buffer; entry: Entry }[]>();

  constructor(entries: readonly Entry[]) {
    for (const entry of entries) {
      const digest = Buffer.from(entry.sha256, "hex");
      const bucket = this.#buckets.get(digest.readUInt32BE()) ?? [];
      bucket.push({ digest, entry });
      this.#buckets.set(digest.readUInt32BE(), bucket);
    }
  }

  /**
   * The entry of a token's hash. The time may tell whether some hash begins with the same 4 bytes, which is of no help
   * against the other 28; those are compared in constant time. Thousands of entries cost no more than one.
   */
  find(digest: Buffer): Entry | undefined {
    const bucket = this.#buckets.get(digest.readUInt32BE()) ?? [];
    return bucket.find((row) => timingSafeEqual(row.digest, digest))?.entry;
  }
}
