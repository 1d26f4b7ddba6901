// Who may call, as plain data: what belay.yaml says under `auth:` is read into this. Files are named here and read when
// the authenticator is made (authenticator.ts), so that a wrong one fails at start.

/** What a token may be signed with. `none` and the HMAC ones are not among them: a public key is no secret. */
export type SigningAlgorithm =
  | "ES256"
  | "ES384"
  | "ES512"
  | "RS256"
  | "RS384"
  | "RS512"
  | "PS256"
  | "PS384"
  | "PS512"
  | "EdDSA";

export const signingAlgorithms: readonly SigningAlgorithm[] = [
  "ES256",
  "ES384",
  "ES512",
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "EdDSA",
];

/** What an entry has where belay.yaml says nothing. */
export const authDefaults: Readonly<{
  algorithms: readonly SigningAlgorithm[];
  principalClaim: string;
  tenant: string;
  tokenLifetimeSeconds: number;
  iamHosts: readonly string[];
}> = {
  algorithms: ["ES256", "RS256", "PS256", "EdDSA"],
  principalClaim: "sub",
  tenant: "default",
  tokenLifetimeSeconds: 43_200,
  iamHosts: ["api.cloud.yandex.net"],
};

/** The limits of the numbers and texts here. */
export const authLimits: Readonly<{
  tokenLifetimeSecondsMin: number;
  tokenLifetimeSecondsMax: number;
  principalLengthMax: number;
}> = { tokenLifetimeSecondsMin: 60, tokenLifetimeSecondsMax: 86_400, principalLengthMax: 256 };

/** A tenant: what separates callers from each other. */
export const TENANT_PATTERN: RegExp = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** A grant: `operations` for the root, or a parent such as `projects/p` for all below it. */
export const GRANT_PATTERN: RegExp =
  /^(?:operations|[a-z][a-zA-Z0-9-]*\/[^/\s]+(?:\/[a-z][a-zA-Z0-9-]*\/[^/\s]+){0,2})$/;

/** A scope: visible characters without quotes and backslashes (RFC 6749, section 3.3). */
export const SCOPE_PATTERN: RegExp = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** Types that a worker may run: one, `word.*` for all below a word, `*` for all. */
export const WORKER_TYPE_PATTERN: RegExp = /^(?:\*|[a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)*(?:\.\*)?)$/;

/** A token: what an authorization header can carry (RFC 6750, section 2.1, and the colons of API keys). */
export const TOKEN_PATTERN: RegExp = /^[A-Za-z0-9\-._~+/:]+=*$/;

/** The SHA-256 of a token, 64 lower-case hexadecimal digits, as `belay token --hash` prints it. */
export const SHA256_PATTERN: RegExp = /^[0-9a-f]{64}$/;

/** A value that each token brings, in a claim at the top of its payload. */
export interface ClaimSource {
  readonly claim: string;
}

/** Where the public keys of an issuer are: exactly one of these. */
export type KeySource =
  /** https, or http on a loopback address. Fetched at the first token, and again for a key id that is not known. */
  | { readonly jwksUri: string }
  /** A JSON Web Key Set in a file. */
  | { readonly jwksFile: string }
  /** One public key or certificate, PEM. With a `kid`, only tokens that name it are taken. */
  | { readonly publicKeyFile: string; readonly kid: string | null };

/** Somebody whose JSON Web Tokens are taken, for instance an OpenID provider. */
export interface IssuerConfig {
  /** The `iss` claim, character for character. */
  readonly issuer: string;
  /** A token's `aud` must hold one of them; at least one. */
  readonly audiences: readonly string[];
  readonly keys: KeySource;
  /** At least one. */
  readonly algorithms: readonly SigningAlgorithm[];
  /** The claim that names the caller; the principal is `user:` and its value. */
  readonly principalClaim: string;
  /** The same for all, or told by a claim; a token without the claim is refused. */
  readonly tenant: string | ClaimSource;
  /** The same for all (null: every parent), or told by a claim; a token without the claim has none. */
  readonly grants: readonly string[] | ClaimSource | null;
  /** The claim that makes a token a worker's: the types that it may run. Absent or null: none of its tokens is. */
  readonly worker?: ClaimSource | null;
}

/** A public key with its id. */
export interface NamedKeyConfig {
  readonly kid: string;
  /** PEM: a public key or a certificate. */
  readonly publicKeyFile: string;
}

/**
 * A service account that signs its own tokens, as Google's libraries do with a downloaded key and
 * useJWTAccessWithScope: RS256, PS256 or ES256, `iss` = `sub` = the address, a `scope` claim, at most an hour long.
 */
export interface ServiceAccountConfig {
  readonly email: string;
  /** At least one. */
  readonly keys: readonly NamedKeyConfig[];
  /** What its `aud` may be; a token without an `aud` is taken too. */
  readonly audiences: readonly string[];
  readonly tenant: string;
  readonly grants: readonly string[] | null;
}

/** A token that is simply known. Only its hash is kept; it must be random, at least 16 characters. */
export interface StaticTokenConfig {
  readonly sha256: string;
  /** As it appears in createdBy, for instance `user:ada`. */
  readonly principal: string;
  readonly tenant: string;
  /** null: not limited to scopes. */
  readonly scopes: readonly string[] | null;
  readonly grants: readonly string[] | null;
  /** It is a worker's: it opens belay.v1.Workers for these types, and nothing else. Absent or null: a caller's. */
  readonly worker?: { readonly types: readonly string[] } | null;
}

/** A Yandex OAuth token that may be exchanged for an IAM token. */
export interface OauthTokenConfig {
  readonly sha256: string;
  /** The subject id, and the principal: as it appears in createdBy. */
  readonly subject: string;
  readonly tenant: string;
  readonly scopes: readonly string[] | null;
  readonly grants: readonly string[] | null;
}

/** A Yandex service account whose PS256 tokens may be exchanged for an IAM token. */
export interface IamServiceAccountConfig {
  /** Its `iss`, the subject id and the principal. */
  readonly serviceAccountId: string;
  /** RSA keys; `kid` is the id of the authorized key. At least one. */
  readonly keys: readonly NamedKeyConfig[];
  readonly tenant: string;
  readonly grants: readonly string[] | null;
}

/** What IamTokenService exchanges. Its tokens are signed with a key of our own, in the data folder. */
export interface IamConfig {
  readonly oauthTokens: readonly OauthTokenConfig[];
  readonly serviceAccounts: readonly IamServiceAccountConfig[];
  /** How long an IAM token is good: 60 to 86400. */
  readonly tokenLifetimeSeconds: number;
  /** A service account's token must be for `https://iam.HOST[:PORT]/iam/v1/tokens` of one of these. */
  readonly hosts: readonly string[];
}

/** All of `auth:`. Where a list is empty, nothing of its kind is taken. */
export interface AuthConfig {
  readonly issuers: readonly IssuerConfig[];
  readonly serviceAccounts: readonly ServiceAccountConfig[];
  readonly staticTokens: readonly StaticTokenConfig[];
  /** null: IamTokenService exchanges nothing. */
  readonly iam: IamConfig | null;
  /** Takes the tokens that `belay token` mints with the key in the data folder. */
  readonly development: boolean;
}
