// Who calls: composes the kinds of tokens that the configuration names. Files are read when it is made, so that a wrong
// one fails at start; jose is loaded with the first token.
import type { JWK } from "jose";
import { type Clock, wallClockInstant } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { SharedFiles } from "../../base/shared-files.ts";
import { anonymous } from "../server-call.ts";
import type { AuthConfig, IamServiceAccountConfig, KeySource, NamedKeyConfig } from "./auth-config.ts";
import { checkAuthConfig } from "./auth-config-check.ts";
import { DEVELOPMENT_ISSUER, developmentTokens } from "./development-tokens.ts";
import { IAM_ISSUER, type IamAccount, IamTokenAuthority, type SharedIdentity } from "./iam-tokens.ts";
import type { Identity } from "./identity.ts";
import { issuerTokens } from "./issuer-tokens.ts";
import type { KeyLookup } from "./json-web-token.ts";
import { readKeySetFile, readPublicKeyFile } from "./key-files.ts";
import { localKeys } from "./local-keys.ts";
import { RemoteKeys } from "./remote-keys.ts";
import { serviceAccountTokens } from "./service-account-tokens.ts";
import { SharedIamKeys } from "./shared-iam-keys.ts";
import { SharedRevocations } from "./shared-revocations.ts";
import { TokenChecker } from "./token-checker.ts";
import type { TokenVerifier } from "./verified-token.ts";

export interface AuthenticatorOptions {
  /** The folder `identity` in the data folder, for keys of our own and revoked tokens; null keeps them in memory. */
  folder: string | null;
  /** Instead of the folder, but for development tokens: what all nodes of a shared store have. */
  shared?: SharedIdentity | undefined;
  logger: Logger;
  /**
   * Default the wall clock, read anew: the times in a token are the wall times of another machine, and a clock that is
   * anchored at start is behind after this one has slept.
   */
  clock?: Clock;
}

/** Makes the authenticator; `config` null is a server without identity. Throws a TypeError that names what is wrong. */
export function createAuthenticator(config: AuthConfig | null, options: AuthenticatorOptions): Identity {
  const { folder, logger, shared, clock = { now: wallClockInstant } } = options;
  if (config) checkAuthConfig(config);
  if (config?.development && folder === null) {
    throw new TypeError("auth.development: needs a data folder; expected one that belay token can use, too");
  }
  const iam = new IamTokenAuthority({
    config: config?.iam ?? null,
    openTo: config ? null : anonymous,
    accounts: new Map(config?.iam?.serviceAccounts.map(iamAccount)),
    folder,
    shared,
    clock,
  });
  if (!config) {
    return {
      isConfigured: false,
      authenticate: () => anonymous,
      authenticateHeader: () => anonymous,
      iamTokens: iam,
      close: () => iam.close(),
    };
  }
  const remotes: RemoteKeys[] = [];
  const checker = new TokenChecker({
    verifiers: new Map([[IAM_ISSUER, iam], ...verifiersOf(config, { folder, logger, clock }, remotes)]),
    staticTokens: config.staticTokens,
    isRevoked: (tokenId) => iam.isRevoked(tokenId),
    clock,
  });
  return {
    isConfigured: true,
    authenticate: (call) =>
      checker.check(call.headerValues("authorization"), call.method.declaration.dialect),
    authenticateHeader: (values, dialect) => checker.check(values, dialect),
    iamTokens: iam,
    async close() {
      for (const remote of remotes) remote.close();
      await iam.close();
    },
  };
}

/** The verifiers by issuer. What has to be closed is added to `remotes`. */
function verifiersOf(
  config: AuthConfig,
  { folder, logger, clock }: Required<Omit<AuthenticatorOptions, "shared">>,
  remotes: RemoteKeys[],
): [string, TokenVerifier][] {
  const verifiers: [string, TokenVerifier][] = [];
  if (config.development && folder !== null) {
    verifiers.push([DEVELOPMENT_ISSUER, developmentTokens(folder, clock)]);
  }
  for (const [index, issuer] of config.issuers.entries()) {
    let keys = keysAtHand(issuer.keys, `auth.issuers[${index}].keys`);
    if (!keys && "jwksUri" in issuer.keys) {
      const remote = new RemoteKeys({ uri: issuer.keys.jwksUri, logger });
      remotes.push(remote);
      keys = remote.lookUp;
    }
    if (keys) verifiers.push([issuer.issuer, issuerTokens(issuer, keys, clock)]);
  }
  for (const [index, account] of config.serviceAccounts.entries()) {
    const keys = localKeys(readNamedKeys(account.keys, `auth.serviceAccounts[${index}]`));
    verifiers.push([account.email, serviceAccountTokens(account, keys, clock)]);
  }
  return verifiers;
}

/** Keys in files; undefined for those behind an address. */
function keysAtHand(source: KeySource, at: string): KeyLookup | undefined {
  if ("jwksUri" in source) return undefined;
  if ("jwksFile" in source) return localKeys(readKeySetFile(source.jwksFile, `${at}.jwksFile`));
  const key = readPublicKeyFile(source.publicKeyFile, source.kid, `${at}.publicKeyFile`);
  return localKeys([key], { ignoreKid: source.kid === null });
}

function readNamedKeys(keys: readonly NamedKeyConfig[], at: string): JWK[] {
  return keys.map(({ publicKeyFile, kid }, index) =>
    readPublicKeyFile(publicKeyFile, kid, `${at}.keys[${index}].publicKeyFile`),
  );
}

function iamAccount(account: IamServiceAccountConfig, index: number): [string, IamAccount] {
  const { serviceAccountId: id, tenant, grants, keys } = account;
  const principal = { id, tenant, scopes: null, grants };
  const named = readNamedKeys(keys, `auth.iam.serviceAccounts[${index}]`);
  return [id, { principal, keys: localKeys(named), kids: keys.map(({ kid }) => kid) }];
}

/** The keys and revocations that all nodes share. Rejects when the store cannot be read. */
export async function openSharedIdentity(files: SharedFiles, logger: Logger): Promise<SharedIdentity> {
  const clock = { now: wallClockInstant };
  const revoked = new SharedRevocations(files, clock, logger);
  await revoked.look();
  return { keys: new SharedIamKeys(files, clock), revoked };
}
