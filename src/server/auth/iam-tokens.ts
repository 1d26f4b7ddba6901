// IAM tokens of the yandex dialect: made of OAuth tokens and of the signed tokens of service accounts, and verified on
// every call. A token says only whose it is and by which credential it was made; what the subject may do is told by the
// configuration, so that a credential that is taken out of it takes its tokens with it.
import { join } from "node:path";
import { type Clock, MICROS_PER_SECOND } from "../../base/clock.ts";
import { makeId } from "../../base/ids.ts";
import { RpcError } from "../../base/rpc-error.ts";
import type { Principal } from "../../services/method.ts";
import type { IamToken, IamTokens } from "../../services/yandex/iam-token-service.ts";
import { authDefaults, type IamConfig, type OauthTokenConfig } from "./auth-config.ts";
import { refusedToken } from "./authorization-header.ts";
import { type IamKeyRing, IamKeys } from "./iam-keys.ts";
import {
  type Claims,
  type KeyLookup,
  readUnverified,
  type UnverifiedToken,
  verifySignature,
} from "./json-web-token.ts";
import { type Revocations, RevokedTokens } from "./revoked-tokens.ts";
import { type SigningKey, signToken } from "./signing-key.ts";
import { audiencesOf, checkTimes } from "./token-claims.ts";
import { HashedTokens, tokenHash } from "./token-hash.ts";
import type { TokenVerifier, VerifiedToken } from "./verified-token.ts";

/** The `iss` of these tokens; no configured issuer may have it. */
export const IAM_ISSUER = "belay/iam";

const JWT_LIFETIME_SECONDS_MAX = 3_600;

/** A service account with its keys, looked up by the `kid` of a token. */
export interface IamAccount {
  readonly principal: Principal;
  readonly keys: KeyLookup;
  readonly kids: readonly string[];
}

export interface IamTokensOptions {
  /** null: nothing can be exchanged. */
  config: IamConfig | null;
  /** No identity is configured: whatever is exchanged is a token of this principal. */
  openTo: Principal | null;
  /** By their id. */
  accounts: ReadonlyMap<string, IamAccount>;
  /** Where keys and revocations are kept; null keeps them in memory. */
  folder: string | null;
  /** Instead of the folder: what all nodes of a shared store have. */
  shared?: SharedIdentity | undefined;
  clock: Clock;
}

/** The keys and revocations of all nodes. */
export interface SharedIdentity {
  readonly keys: IamKeyRing;
  readonly revoked: Revocations;
}

export class IamTokenAuthority implements IamTokens, TokenVerifier {
  readonly #options: IamTokensOptions;
  readonly #clock: Clock;
  readonly #lifetimeSeconds: number;
  readonly #oauthTokens: HashedTokens<OauthTokenConfig>;
  readonly #audience: RegExp;
  readonly #keys: IamKeyRing;
  readonly #revoked: Revocations;
  /** Who a token speaks for, by its `via` claim: the credential that it was made of. */
  readonly #principals = new Map<string, Principal>();

  /** Throws a TypeError for files in the folder that are something else. */
  constructor(options: IamTokensOptions) {
    const { config, folder, clock, openTo, shared } = options;
    this.#options = options;
    this.#clock = clock;
    this.#lifetimeSeconds = config?.tokenLifetimeSeconds ?? authDefaults.tokenLifetimeSeconds;
    this.#oauthTokens = new HashedTokens(config?.oauthTokens ?? []);
    this.#audience = audiencePattern(config?.hosts ?? []);
    this.#keys = shared?.keys ?? new IamKeys(folder && join(folder, "iam-keys.json"), clock);
    this.#revoked = shared?.revoked ?? new RevokedTokens(folder && join(folder, "revoked-tokens"), clock);
    for (const entry of config?.oauthTokens ?? []) {
      const { subject: id, tenant, scopes, grants } = entry;
      this.#principals.set(viaOauthToken(entry), { id, tenant, scopes, grants });
    }
    for (const { principal, kids } of options.accounts.values()) {
      for (const kid of kids) this.#principals.set(viaKey(principal.id, kid), principal);
    }
    if (openTo) this.#principals.set(VIA_NOTHING, openTo);
  }

  /** True if a token has been revoked. */
  isRevoked(tokenId: string): boolean {
    return this.#revoked.has(tokenId);
  }

  async exchangeOauthToken(oauthToken: string): Promise<IamToken> {
    const { openTo } = this.#options;
    if (openTo) return await this.#issue(openTo.id, VIA_NOTHING);
    const entry = this.#oauthTokens.find(tokenHash(oauthToken));
    if (!entry) throw refusedToken("the OAuth token is not known here");
    return await this.#issue(entry.subject, viaOauthToken(entry));
  }

  async exchangeJwt(jwt: string): Promise<IamToken> {
    const { openTo } = this.#options;
    if (openTo) return await this.#issue(openTo.id, VIA_NOTHING);
    const issuer = readUnverified(jwt)?.issuer;
    const account = this.#options.accounts.get(issuer ?? "");
    if (!account) throw refusedToken("the service account is not known here");
    let kid = "";
    const claims = await verifySignature(jwt, ["PS256"], (header) => {
      kid = header.kid ?? "";
      if (kid === "") throw refusedToken("it does not say which key it is signed with");
      return account.keys(header);
    });
    checkTimes(claims, this.#clock.now(), JWT_LIFETIME_SECONDS_MAX);
    if (!audiencesOf(claims).some((audience) => this.#audience.test(audience))) {
      throw refusedToken("its audience is not this server");
    }
    return await this.#issue(account.principal.id, viaKey(account.principal.id, kid));
  }

  async revoke(iamToken: string): Promise<string | undefined> {
    const token = readUnverified(iamToken);
    if (token?.issuer !== IAM_ISSUER) return undefined;
    let claims: Claims;
    try {
      claims = await verifySignature(token.text, ["ES256"], this.#keys.lookUp);
    } catch (error) {
      if (error instanceof RpcError && error.reason === "ACCESS_TOKEN_INVALID") return undefined;
      throw error;
    }
    const expiresAt = Number(claims["exp"]) * MICROS_PER_SECOND;
    // A margin for the skew that verify() allows: an ended token is dropped from the list only when it is refused anyway.
    const forgottenAt = expiresAt + FORGET_MARGIN_SECONDS * MICROS_PER_SECOND;
    if (forgottenAt > this.#clock.now()) await this.#revoked.add(String(claims["jti"]), forgottenAt);
    return String(claims["sub"]);
  }

  async verify({ text }: UnverifiedToken): Promise<VerifiedToken> {
    const claims = await verifySignature(text, ["ES256"], this.#keys.lookUp);
    const expiresAt = checkTimes(claims, this.#clock.now());
    const revocableId = String(claims["jti"]);
    if (this.isRevoked(revocableId)) throw refusedToken("it was revoked");
    const principal = this.#principals.get(String(claims["via"]));
    if (principal?.id !== claims["sub"] || !principal)
      throw refusedToken("its subject is not known here any more");
    return { principal, expiresAt, revocableId };
  }

  async close(): Promise<void> {
    await this.#revoked.close();
  }

  async #issue(subject: string, via: string): Promise<IamToken> {
    const now = this.#clock.now();
    const iat = Math.floor(now / MICROS_PER_SECOND);
    const exp = iat + this.#lifetimeSeconds;
    const claims = { iss: IAM_ISSUER, sub: subject, via, jti: makeId("iat", now), iat, exp };
    return { token: await signToken(claims, await this.#currentKey()), expiresAt: exp * MICROS_PER_SECOND };
  }

  /** A new key must be durable before it signs. */
  async #currentKey(): Promise<SigningKey> {
    try {
      return await this.#keys.current();
    } catch (cause) {
      throw new RpcError("STORAGE_UNAVAILABLE", {}, { cause });
    }
  }
}

const FORGET_MARGIN_SECONDS = 60;

const VIA_NOTHING = "open";

/** Names the credential without telling it: a hash of the hash. */
function viaOauthToken({ sha256, subject }: OauthTokenConfig): string {
  return `oauth:${tokenHash(`${sha256} ${subject}`).toString("hex").slice(0, 32)}`;
}

function viaKey(serviceAccountId: string, kid: string): string {
  return `key:${tokenHash(`${serviceAccountId} ${kid}`).toString("hex").slice(0, 32)}`;
}

/** `https://iam.HOST[:PORT]/iam/v1/tokens`: the SDKs make it of the host that they were given. */
function audiencePattern(hosts: readonly string[]): RegExp {
  const alternatives = hosts.map((host) => host.replaceAll(".", "\\.")).join("|");
  return hosts.length === 0
    ? /^(?!)/
    : new RegExp(`^https://iam\\.(?:${alternatives})(?::\\d{1,5})?/iam/v1/tokens$`, "i");
}
