// Keys that are at hand: looked up by the header of a token, as jose does (kid, kty, alg, use, key_ops).
import type { CompactJWSHeaderParameters, JWK, LocalJWKSet } from "jose";
import type { KeyLookup } from "./json-web-token.ts";

/** Looks keys up in a set. `ignoreKid`: the set is one key without an id, whatever id a token names. */
export function localKeys(keys: readonly JWK[], { ignoreKid = false } = {}): KeyLookup {
  let set: LocalJWKSet | undefined;
  return async (header: CompactJWSHeaderParameters) => {
    const { createLocalJWKSet } = await import("jose");
    set ??= createLocalJWKSet({ keys: [...keys] });
    return await set(ignoreKid ? { alg: header.alg } : header);
  };
}
