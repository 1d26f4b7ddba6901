// Tokens that a service account signs itself, with a scope claim in place of an audience, as Google's libraries send
// them (useJWTAccessWithScope). They are good for an hour at most.
import type { Clock } from "../../base/clock.ts";
import type { ServiceAccountConfig, SigningAlgorithm } from "./auth-config.ts";
import { refusedToken } from "./authorization-header.ts";
import { type KeyLookup, type UnverifiedToken, verifySignature } from "./json-web-token.ts";
import { audiencesOf, checkAudience, checkTimes, scopesOfClaims } from "./token-claims.ts";
import type { TokenVerifier, VerifiedToken } from "./verified-token.ts";

const LIFETIME_SECONDS_MAX = 3_600;
const algorithms: readonly SigningAlgorithm[] = ["RS256", "PS256", "ES256"];

/** Verifies the tokens of one service account. */
export function serviceAccountTokens(
  config: ServiceAccountConfig,
  keys: KeyLookup,
  clock: Clock,
): TokenVerifier {
  return {
    async verify({ text }: UnverifiedToken): Promise<VerifiedToken> {
      const claims = await verifySignature(text, algorithms, keys);
      const expiresAt = checkTimes(claims, clock.now(), LIFETIME_SECONDS_MAX);
      // With another sub it would speak for somebody else (domain-wide delegation), which nobody here has allowed.
      if (claims["sub"] !== config.email) throw refusedToken("its sub is not its iss");
      if (audiencesOf(claims).length > 0) checkAudience(claims, config.audiences);
      return {
        principal: {
          id: `serviceAccount:${config.email}`,
          tenant: config.tenant,
          scopes: scopesOfClaims(claims),
          grants: config.grants,
        },
        expiresAt,
        revocableId: null,
      };
    },
  };
}
