// What a report of an end is recognised by when it comes again.
import { hash } from "node:crypto";

/** Over the payload or the error: a repeated report of the same result is recognised by it (S12). */
export function reportDigest(...parts: readonly (string | Uint8Array)[]): string {
  return hash(
    "sha256",
    Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part))),
    "base64url",
  );
}
