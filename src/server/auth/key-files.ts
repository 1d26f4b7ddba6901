// Reads the public keys that the configuration names. All errors are TypeErrors that begin with the place in it:
// `auth.issuers[0].keys.publicKeyFile: ...`.
import { createPublicKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import type { JWK } from "jose";

const RSA_BITS_MIN = 2048;
const CURVES: readonly string[] = ["prime256v1", "secp384r1", "secp521r1"];

/** A public key or certificate in PEM as a JSON Web Key; with a `kid` if one is given. */
export function readPublicKeyFile(path: string, kid: string | null, at: string): JWK {
  const text = readText(path, at);
  // node:crypto would derive the public key of a private one, and nobody would notice where that one lies.
  if (text.includes("PRIVATE KEY"))
    throw new TypeError(`${at}: ${path} holds a private key; give the public one`);
  let key: KeyObject;
  try {
    key = createPublicKey(text);
  } catch {
    throw new TypeError(`${at}: ${path} is no public key or certificate in PEM`);
  }
  checkStrength(key, `${at}: ${path}`);
  return { ...(key.export({ format: "jwk" }) as JWK), ...(kid !== null && { kid }) };
}

function checkStrength({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject, what: string): void {
  if (asymmetricKeyType === "ed25519") return;
  if (asymmetricKeyType === "rsa") {
    const bits = asymmetricKeyDetails?.modulusLength ?? 0;
    if (bits >= RSA_BITS_MIN) return;
    throw new TypeError(`${what} has ${bits} bits; an RSA key needs ${RSA_BITS_MIN}`);
  }
  if (asymmetricKeyType === "ec" && CURVES.includes(asymmetricKeyDetails?.namedCurve ?? "")) return;
  throw new TypeError(`${what} is no key for tokens; expected RSA, P-256, P-384, P-521 or Ed25519`);
}

/** The keys of a JSON Web Key Set in a file. */
export function readKeySetFile(path: string, at: string): JWK[] {
  const keys = keysOfSet(readText(path, at));
  if (!keys) throw new TypeError(`${at}: ${path} is no JSON Web Key Set; expected {"keys": [...]}`);
  if (keys.length === 0) throw new TypeError(`${at}: ${path} has no keys`);
  if (keys.some(({ d, k }) => d !== undefined || k !== undefined)) {
    throw new TypeError(`${at}: ${path} holds private keys or secrets; give the public ones`);
  }
  return keys;
}

/** The keys of a JSON Web Key Set; undefined for any other text. */
export function keysOfSet(text: string): JWK[] | undefined {
  try {
    const set: unknown = JSON.parse(text);
    const keys = typeof set === "object" && set !== null && "keys" in set ? set.keys : undefined;
    const isSet = Array.isArray(keys) && keys.every((key) => typeof key === "object" && key !== null);
    return isSet ? (keys as JWK[]) : undefined;
  } catch {
    return undefined;
  }
}

function readText(path: string, at: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new TypeError(`${at}: ${path} cannot be read: ${code}`);
  }
}
