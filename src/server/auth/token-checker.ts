// One call's credential to its principal: from the cache and the static tokens in the same turn of the event loop, else
// by the verifier of the token's issuer.
import type { Clock } from "../../base/clock.ts";
import type { Principal } from "../../services/method.ts";
import type { Dialect } from "../../services/service-declaration.ts";
import type { StaticTokenConfig } from "./auth-config.ts";
import { readAuthorization, refusedToken } from "./authorization-header.ts";
import { readUnverified, type UnverifiedToken } from "./json-web-token.ts";
import { TokenCache } from "./token-cache.ts";
import { HashedTokens, tokenHash } from "./token-hash.ts";
import type { TokenVerifier, VerifiedToken } from "./verified-token.ts";

export interface TokenCheckerOptions {
  /** By the `iss` claim. */
  verifiers: ReadonlyMap<string, TokenVerifier>;
  staticTokens: readonly StaticTokenConfig[];
  /** True for a token that was revoked after it was verified. */
  isRevoked(tokenId: string): boolean;
  clock: Clock;
}

export class TokenChecker {
  readonly #options: TokenCheckerOptions;
  readonly #staticTokens: HashedTokens<{ sha256: string; caller: Principal }>;
  readonly #cache = new TokenCache();
  /** Verifications under way, by the token's hash: a burst of calls with a new token costs one. */
  readonly #pending = new Map<string, Promise<VerifiedToken>>();

  constructor(options: TokenCheckerOptions) {
    this.#options = options;
    this.#staticTokens = new HashedTokens(
      options.staticTokens.map(({ sha256, principal: id, tenant, scopes, grants, worker }) => ({
        sha256,
        caller: { id, tenant, scopes, grants, ...(worker && { workerTypes: worker.types }) },
      })),
    );
  }

  /**
   * The principal of a call with these authorization headers. Throws or rejects with CREDENTIALS_MISSING,
   * ACCESS_TOKEN_TYPE_UNSUPPORTED, ACCESS_TOKEN_INVALID, ACCESS_TOKEN_EXPIRED, IDENTITY_UNAVAILABLE.
   */
  check(values: readonly string[], dialect: Dialect): Principal | Promise<Principal> {
    const { scheme, token } = readAuthorization(values, dialect);
    const digest = tokenHash(token);
    const known = this.#staticTokens.find(digest);
    if (known) return known.caller;
    // Before the cache: a signed token that came as Bearer is no API key afterwards.
    if (scheme === "api-key") throw refusedToken("the API key is not known here");
    const hash = digest.toString("base64");
    const cached = this.#cache.get(hash, this.#options.clock.now());
    if (cached) return this.#principalOf(cached);
    return this.#verifyOnce(hash, token).then((verified) => this.#principalOf(verified));
  }

  /** Looked at on every call: a Revoke ends a token that is in the cache, or is being verified, too. */
  #principalOf({ principal, revocableId }: VerifiedToken): Principal {
    if (revocableId !== null && this.#options.isRevoked(revocableId)) throw refusedToken("it was revoked");
    return principal;
  }

  #verifyOnce(hash: string, text: string): Promise<VerifiedToken> {
    const pending = this.#pending.get(hash);
    if (pending) return pending;
    const token = readUnverified(text);
    if (!token) throw refusedToken("it is not known here");
    const verified = this.#verify(hash, token).finally(() => this.#pending.delete(hash));
    this.#pending.set(hash, verified);
    return verified;
  }

  async #verify(hash: string, token: UnverifiedToken): Promise<VerifiedToken> {
    const verifier = this.#options.verifiers.get(token.issuer ?? "");
    if (!verifier) throw refusedToken("its issuer is not trusted here");
    const verified = await verifier.verify(token);
    this.#cache.set(hash, verified, this.#options.clock.now());
    return verified;
  }
}
