// Tokens of a configured issuer: an OpenID provider, or any other that signs JSON Web Tokens.
import type { Clock } from "../../base/clock.ts";
import type { IssuerConfig } from "./auth-config.ts";
import { type KeyLookup, type UnverifiedToken, verifySignature } from "./json-web-token.ts";
import {
  checkAudience,
  checkTimes,
  grantsOfClaims,
  nameOfClaims,
  scopesOfClaims,
  tenantOfClaims,
  workerOfClaims,
} from "./token-claims.ts";
import type { TokenVerifier, VerifiedToken } from "./verified-token.ts";

/** Verifies the tokens of one issuer. The caller has chosen it by the `iss` claim. */
export function issuerTokens(config: IssuerConfig, keys: KeyLookup, clock: Clock): TokenVerifier {
  return {
    async verify({ text }: UnverifiedToken): Promise<VerifiedToken> {
      const claims = await verifySignature(text, config.algorithms, keys);
      const expiresAt = checkTimes(claims, clock.now());
      checkAudience(claims, config.audiences);
      return {
        principal: {
          id: `user:${nameOfClaims(claims, config.principalClaim)}`,
          tenant: tenantOfClaims(claims, config.tenant),
          scopes: scopesOfClaims(claims),
          grants: grantsOfClaims(claims, config.grants),
          ...workerOfClaims(claims, config.worker ?? null),
        },
        expiresAt,
        revocableId: null,
      };
    },
  };
}
