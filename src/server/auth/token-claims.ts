// What the claims of a verified token say, and whether it holds. Pure: the instant is given.
import { type Instant, MICROS_PER_SECOND } from "../../base/clock.ts";
import { RpcError } from "../../base/rpc-error.ts";
import {
  authLimits,
  type ClaimSource,
  GRANT_PATTERN,
  TENANT_PATTERN,
  WORKER_TYPE_PATTERN,
} from "./auth-config.ts";
import { refusedToken } from "./authorization-header.ts";
import type { Claims } from "./json-web-token.ts";

/** How far the clock of whoever signed may be from ours. */
const CLOCK_SKEW_SECONDS = 30;

/** Names for people: no control characters, no line feeds. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/**
 * Checks exp, nbf and iat, and answers when the token ends. `lifetimeSecondsMax` bounds exp - iat, which are then both
 * needed. Throws ACCESS_TOKEN_EXPIRED, ACCESS_TOKEN_INVALID.
 */
export function checkTimes(claims: Claims, now: Instant, lifetimeSecondsMax?: number): Instant {
  const nowSeconds = now / MICROS_PER_SECOND;
  const exp = numericDate(claims, "exp");
  const nbf = numericDate(claims, "nbf");
  const iat = numericDate(claims, "iat");
  if (exp === undefined) throw refusedToken("it has no exp claim");
  if (exp <= nowSeconds - CLOCK_SKEW_SECONDS) throw new RpcError("ACCESS_TOKEN_EXPIRED");
  const start = Math.max(nbf ?? Number.NEGATIVE_INFINITY, iat ?? Number.NEGATIVE_INFINITY);
  if (start > nowSeconds + CLOCK_SKEW_SECONDS) throw refusedToken("it is not valid yet");
  if (lifetimeSecondsMax !== undefined) {
    if (iat === undefined) throw refusedToken("it has no iat claim");
    if (exp - iat > lifetimeSecondsMax + CLOCK_SKEW_SECONDS) {
      throw refusedToken(`its exp is more than ${lifetimeSecondsMax} s after its iat`);
    }
  }
  return exp * MICROS_PER_SECOND;
}

function numericDate(claims: Claims, name: string): number | undefined {
  const value = claims[name];
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isFinite(value))
    throw refusedToken(`its ${name} claim is no number`);
  return value;
}

/** The audiences of a token: its `aud`, one or several; empty if it has none. */
export function audiencesOf(claims: Claims): readonly string[] {
  const { aud } = claims;
  if (aud === undefined) return [];
  if (typeof aud === "string") return [aud];
  if (isTextList(aud)) return aud;
  throw refusedToken("its aud claim is malformed");
}

/** Throws ACCESS_TOKEN_INVALID unless one of the token's audiences is one of these. */
export function checkAudience(claims: Claims, audiences: readonly string[]): void {
  if (audiencesOf(claims).some((audience) => audiences.includes(audience))) return;
  throw refusedToken("its audience is not this server");
}

/** The scopes of a token: `scope`, separated by spaces, or `scp`, a list or the same. No claim: no scopes. */
export function scopesOfClaims(claims: Claims): readonly string[] {
  const value = claims["scope"] ?? claims["scp"] ?? "";
  const scopes = wordsOf(value);
  if (!scopes) throw refusedToken("its scope claim is malformed");
  return scopes;
}

/** The value of a claim that names the caller. */
export function nameOfClaims(claims: Claims, claim: string): string {
  const value = claims[claim];
  if (typeof value !== "string" || value === "") throw refusedToken(`it has no ${claim} claim`);
  if (value.length > authLimits.principalLengthMax || UNPRINTABLE.test(value)) {
    throw refusedToken(`its ${claim} claim is malformed`);
  }
  // An address that nobody has verified is anybody's.
  if (claim === "email" && claims["email_verified"] === false)
    throw refusedToken("its email is not verified");
  return value;
}

/** The tenant: fixed, or told by a claim. */
export function tenantOfClaims(claims: Claims, tenant: string | ClaimSource): string {
  if (typeof tenant === "string") return tenant;
  const value = claims[tenant.claim];
  if (value === undefined) throw refusedToken(`it has no ${tenant.claim} claim`);
  if (typeof value !== "string" || !TENANT_PATTERN.test(value)) {
    throw refusedToken(`its ${tenant.claim} claim is malformed`);
  }
  return value;
}

/** The grants: fixed, or told by a claim; without it there are none. */
export function grantsOfClaims(
  claims: Claims,
  grants: readonly string[] | ClaimSource | null,
): readonly string[] | null {
  if (grants === null || !("claim" in grants)) return grants;
  const values = wordsOf(claims[grants.claim] ?? []);
  if (!values?.every((grant) => GRANT_PATTERN.test(grant))) {
    throw refusedToken(`its ${grants.claim} claim is malformed`);
  }
  return values;
}

/** What makes a token a worker's: a claim with the types that it may run. Without the claim it is a caller's. */
export function workerOfClaims(
  claims: Claims,
  worker: ClaimSource | null,
): { workerTypes?: readonly string[] } {
  if (worker === null || claims[worker.claim] === undefined) return {};
  const types = wordsOf(claims[worker.claim]);
  if (!types?.length || !types.every((type) => WORKER_TYPE_PATTERN.test(type))) {
    throw refusedToken(`its ${worker.claim} claim is malformed`);
  }
  return { workerTypes: types };
}

function wordsOf(value: unknown): readonly string[] | undefined {
  if (typeof value === "string") return value.split(" ").filter(Boolean);
  return isTextList(value) ? value : undefined;
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
