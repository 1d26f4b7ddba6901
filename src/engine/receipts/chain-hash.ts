// What the chain is made of: the hash of an entry, and the statement that a checkpoint signs. Writer and verifier share it.
import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { canonicalText } from "./canonical-json.ts";

/** What comes before the first entry. */
export const GENESIS_HASH = "";

/** base64url SHA-256 of the previous entry's hash, as text, and the content. A content begins with `{`, a hash never does. */
export function entryHash(previousHash: string, content: string): string {
  return createHash("sha256").update(previousHash).update(content, "utf8").digest("base64url");
}

/** The place in a chain that a checkpoint vouches for. */
export interface ChainPlace {
  service: string;
  tenant: string;
  sequence: number;
  hash: string;
  /** Microseconds since the epoch. */
  time: number;
}

/** The bytes that are signed. The format's name stands first, so that they can be nothing else. */
function statement({ service, tenant, sequence, hash, time }: ChainPlace): Buffer {
  return Buffer.from(canonicalText(["belay-receipts-1", service, tenant, sequence, hash, time]), "utf8");
}

/** Ed25519 (RFC 8032), base64url. */
export function signPlace(place: ChainPlace, privateKey: KeyObject): string {
  return sign(null, statement(place), privateKey).toString("base64url");
}

/** False for a signature of another key, over another place, or that is none. */
export function isSignedPlace(place: ChainPlace, signature: string, publicKey: KeyObject): boolean {
  const bytes = Buffer.from(signature, "base64url");
  // Else `AA==` and `AA` would be one signature, and a changed line could pass.
  if (bytes.toString("base64url") !== signature) return false;
  return verify(null, statement(place), publicKey, bytes);
}

/** The 32 bytes of an Ed25519 public key, base64url. */
export function publicKeyText(key: KeyObject): string {
  const { x } = key.export({ format: "jwk" });
  if (x === undefined) throw new TypeError("the key is no Ed25519 key");
  return x;
}

/** Reads such a text; undefined for anything else. */
export function publicKeyOf(text: string): KeyObject | undefined {
  if (!/^[\w-]{43}$/.test(text)) return undefined;
  try {
    return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: text }, format: "jwk" });
  } catch {
    return undefined;
  }
}

/** A key's id is the hash of its 32 bytes: whoever knows the id knows the key when it comes. */
export function keyIdOf(text: string): string {
  return createHash("sha256").update(Buffer.from(text, "base64url")).digest("base64url");
}
