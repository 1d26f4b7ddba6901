// What is known of a token that was found good, and what finds it good.
import type { Instant } from "../../base/clock.ts";
import type { Principal } from "../../services/method.ts";
import type { UnverifiedToken } from "./json-web-token.ts";

export interface VerifiedToken {
  readonly principal: Principal;
  /** When it ends by its own claim. */
  readonly expiresAt: Instant;
  /** Its `jti`, where it can be revoked. */
  readonly revocableId: string | null;
}

/** Verifies the tokens of one issuer. */
export interface TokenVerifier {
  /** Throws ACCESS_TOKEN_INVALID, ACCESS_TOKEN_EXPIRED or IDENTITY_UNAVAILABLE. */
  verify(token: UnverifiedToken): Promise<VerifiedToken>;
}
