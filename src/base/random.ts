// Randomness. The only file that asks for random bytes.
import { randomBytes } from "node:crypto";

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";

/** A random string of `[a-z0-9]`; each character carries 5.17 bits. Bytes of 252 and above are drawn again, so all are equally likely. */
export function randomBase36(length: number): string {
  let text = "";
  while (text.length < length) {
    for (const byte of randomBytes(length - text.length + 4)) {
      if (byte < 252 && text.length < length) text += ALPHABET[byte % 36];
    }
  }
  return text;
}

/** Cryptographically strong random bytes. */
export function randomKey(length: number): Uint8Array {
  return randomBytes(length);
}
