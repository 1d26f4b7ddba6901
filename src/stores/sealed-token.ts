// Sealed tokens: a few bytes that a caller carries for us. A token is opaque, cannot be made or changed by a caller, and
// opens only for the scope that it was sealed for. What the bytes say is page-token.ts and resume-token.ts.
import { createCipheriv, createDecipheriv } from "node:crypto";
import { randomKey } from "../base/random.ts";

/** A 256-bit key with the number that its tokens carry. */
export interface TokenKey {
  id: number;
  bytes: Uint8Array;
}

/** Why a token does not open: it is not what was given out, or its key is gone. */
export type TokenProblem = "changed" | "expired";

const ALGORITHM = "aes-256-gcm";
const KEY_ID_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** No token is longer: what they carry is at most 1,024 bytes and some numbers. */
const TOKEN_LENGTH_MAX = 2000;

/** Seals bytes for a scope: `key id | nonce | ciphertext | tag`, in base64url. */
export function sealToken(key: TokenKey, scope: readonly string[], claims: Uint8Array): string {
  const head = Buffer.alloc(KEY_ID_BYTES);
  head.writeUInt32BE(key.id);
  const nonce = randomKey(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key.bytes, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(boundTo(head, scope));
  const sealed = Buffer.concat([cipher.update(claims), cipher.final()]);
  return Buffer.concat([head, nonce, sealed, cipher.getAuthTag()]).toString("base64url");
}

/** Opens a token that carries at least `shortest` bytes; a TokenProblem if it does not open. */
export function openToken(
  token: string,
  keyBytes: (id: number) => Uint8Array | undefined,
  scope: readonly string[],
  shortest: number,
): Buffer | TokenProblem {
  const bytes = token.length <= TOKEN_LENGTH_MAX ? Buffer.from(token, "base64url") : Buffer.alloc(0);
  if (bytes.length < KEY_ID_BYTES + NONCE_BYTES + shortest + TAG_BYTES) return "changed";
  // Base64url has several spellings of the same bytes (padding, spare bits); only the one that was given out counts.
  if (bytes.toString("base64url") !== token) return "changed";
  const key = keyBytes(bytes.readUInt32BE(0));
  return key ? unseal(bytes, key, scope) : "expired";
}

/** The number of the key that a token says it was sealed with; null if it says none. */
export function sealedKeyId(token: string): number | null {
  const bytes = token.length <= TOKEN_LENGTH_MAX ? Buffer.from(token, "base64url") : Buffer.alloc(0);
  return bytes.length < KEY_ID_BYTES ? null : bytes.readUInt32BE(0);
}

function unseal(bytes: Buffer, key: Uint8Array, scope: readonly string[]): Buffer | TokenProblem {
  const head = bytes.subarray(0, KEY_ID_BYTES);
  const nonce = bytes.subarray(KEY_ID_BYTES, KEY_ID_BYTES + NONCE_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(boundTo(head, scope));
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  const sealed = bytes.subarray(KEY_ID_BYTES + NONCE_BYTES, bytes.length - TAG_BYTES);
  try {
    return Buffer.concat([decipher.update(sealed), decipher.final()]);
  } catch {
    return "changed";
  }
}

/** The scope is authenticated and not carried. JSON keeps its parts apart: ("a", "bc") is not ("ab", "c"). */
function boundTo(head: Uint8Array, scope: readonly string[]): Buffer {
  return Buffer.concat([head, Buffer.from(JSON.stringify(scope))]);
}
