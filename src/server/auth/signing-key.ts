// Key pairs of our own for ES256, with a name: made, written to JSON and read again.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import type { JWK } from "jose";
import { type Instant, MICROS_PER_MS } from "../../base/clock.ts";
import { makeId } from "../../base/ids.ts";
import type { Claims } from "./json-web-token.ts";

export interface SigningKey {
  /** Its name, for the header of what it signs. */
  readonly kid: string;
  readonly createdAt: Instant;
  readonly privateKey: KeyObject;
  /** With the `kid`. */
  readonly publicKey: JWK;
}

/** Makes a key; its name begins with the prefix. */
export function makeSigningKey(prefix: string, now: Instant): SigningKey {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return signingKeyOf(makeId(prefix, now), now, privateKey);
}

/** The key as JSON, private part and all. */
export function signingKeyToJson({ kid, createdAt, privateKey }: SigningKey): object {
  const createTime = new Date(createdAt / MICROS_PER_MS).toISOString();
  return { kid, createTime, key: privateKey.export({ format: "jwk" }) };
}

/** Reads such JSON; throws for anything else. */
export function signingKeyFromJson(json: unknown): SigningKey {
  const { kid, createTime, key } = json as { kid: unknown; createTime: unknown; key: JWK };
  const createdAt = Date.parse(String(createTime)) * MICROS_PER_MS;
  if (typeof kid !== "string" || Number.isNaN(createdAt))
    throw new TypeError("a key without kid or createTime");
  return signingKeyOf(kid, createdAt, createPrivateKey({ key: key as never, format: "jwk" }));
}

function signingKeyOf(kid: string, createdAt: Instant, privateKey: KeyObject): SigningKey {
  const publicKey = { ...(createPublicKey(privateKey).export({ format: "jwk" }) as JWK), kid };
  return { kid, createdAt, privateKey, publicKey };
}

/** Signs claims as a JSON Web Token. */
export async function signToken(claims: Claims, { kid, privateKey }: SigningKey): Promise<string> {
  const { SignJWT } = await import("jose");
  return await new SignJWT({ ...claims })
    .setProtectedHeader({ alg: "ES256", typ: "JWT", kid })
    .sign(privateKey);
}
