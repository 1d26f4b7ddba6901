// JSON Web Tokens (RFC 7515, 7519): reading one before it is trusted, and verifying its signature with jose. What its
// claims mean is not told here (token-claims.ts).
import type { CompactJWSHeaderParameters, CryptoKey, errors } from "jose";
import { RpcError } from "../../base/rpc-error.ts";
import type { SigningAlgorithm } from "./auth-config.ts";
import { refusedToken } from "./authorization-header.ts";

/** The payload of a token: JSON values by name. */
export type Claims = Readonly<Record<string, unknown>>;

/** A token that has the form of one. Nothing in it is to be believed yet. */
export interface UnverifiedToken {
  readonly text: string;
  readonly issuer: string | undefined;
}

/** Finds the public key for a token's header; rejects with jose's errors or an RpcError. */
export type KeyLookup = (header: CompactJWSHeaderParameters) => Promise<CryptoKey>;

const JWT_SHAPE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;

/** Reads the issuer of a token, to know who can verify it; undefined for what is no JSON Web Token. */
export function readUnverified(text: string): UnverifiedToken | undefined {
  if (!JWT_SHAPE.test(text)) return undefined;
  const [header = "", payload = ""] = text.split(".", 2);
  const claims = jsonObjectOf(payload);
  if (!claims || !jsonObjectOf(header)) return undefined;
  const { iss } = claims;
  return { text, issuer: typeof iss === "string" ? iss : undefined };
}

/**
 * The claims of a token whose signature is good. Throws ACCESS_TOKEN_INVALID, or what `keys` throws.
 * The algorithm must be in the list before a key is even looked for: a public key never verifies an HMAC.
 */
export async function verifySignature(
  text: string,
  algorithms: readonly SigningAlgorithm[],
  keys: KeyLookup,
): Promise<Claims> {
  const { compactVerify } = await import("jose");
  try {
    const { payload } = await compactVerify(text, keys, { algorithms: [...algorithms] });
    const claims = parseObject(new TextDecoder("utf-8", { fatal: true }).decode(payload));
    if (claims) return claims;
  } catch (error) {
    throw asRefusal(error);
  }
  throw refusedToken("its claims are no JSON object");
}

/** jose's errors by their code. What has none is about the key: too short, or no key at all. */
function asRefusal(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  switch ((error as Partial<errors.JOSEError>).code) {
    case "ERR_JOSE_ALG_NOT_ALLOWED":
      return refusedToken("its algorithm is not accepted");
    case "ERR_JWS_SIGNATURE_VERIFICATION_FAILED":
      return refusedToken("its signature does not match");
    case "ERR_JWKS_NO_MATCHING_KEY":
      return refusedToken("its key is not known");
    case "ERR_JWKS_MULTIPLE_MATCHING_KEYS":
      return refusedToken("it does not say which key it is signed with");
    case "ERR_JWS_INVALID":
    case "ERR_JOSE_NOT_SUPPORTED":
      return refusedToken("it is malformed");
    default:
      return refusedToken("its key cannot be used");
  }
}

function jsonObjectOf(base64url: string): Claims | undefined {
  return parseObject(Buffer.from(base64url, "base64url").toString("utf8"));
}

function parseObject(text: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Claims)
      : undefined;
  } catch {
    return undefined;
  }
}
