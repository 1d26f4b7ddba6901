// Checks a whole AuthConfig before anything is served. A problem is a TypeError that begins with its place and says
// what was expected: `auth.issuers[0].audiences: is empty; ...`. What is in the files is checked when they are read.
import { isLoopbackHost } from "../config.ts";
import {
  type AuthConfig,
  authLimits,
  type ClaimSource,
  GRANT_PATTERN,
  type IamConfig,
  type IssuerConfig,
  type KeySource,
  type NamedKeyConfig,
  SCOPE_PATTERN,
  SHA256_PATTERN,
  type StaticTokenConfig,
  signingAlgorithms,
  TENANT_PATTERN,
  WORKER_TYPE_PATTERN,
} from "./auth-config.ts";

/** Issuers of our own: IAM_ISSUER and DEVELOPMENT_ISSUER. */
const RESERVED_PREFIX = "belay/";

const HOST_PATTERN = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const NAME_PATTERN = /^[^\u0000-\u0020\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$/;

/** Throws a TypeError for the first thing that is wrong. */
export function checkAuthConfig(config: AuthConfig): void {
  const issuers = new Set<string>();
  for (const [index, issuer] of config.issuers.entries()) {
    const at = `auth.issuers[${index}]`;
    checkIssuerName(issuers, issuer.issuer, `${at}.issuer`);
    checkIssuer(issuer, at);
  }
  for (const [index, account] of config.serviceAccounts.entries()) {
    const at = `auth.serviceAccounts[${index}]`;
    checkIssuerName(issuers, account.email, `${at}.email`);
    checkKeys(account.keys, at);
    checkBelonging(account, at);
  }
  const hashes = new Set<string>();
  for (const [index, token] of config.staticTokens.entries()) {
    const at = `auth.staticTokens[${index}]`;
    checkHash(hashes, token.sha256, at);
    checkName(token.principal, `${at}.principal`);
    checkScopes(token.scopes, at);
    checkBelonging(token, at);
    checkWorker(token, at);
  }
  if (config.iam) checkIam(config.iam);
  const hasAny = config.issuers.length + config.serviceAccounts.length + config.staticTokens.length > 0;
  if (!hasAny && !config.iam && !config.development) {
    fail("auth", "nobody could call", "issuers, serviceAccounts, staticTokens, iam or development: true");
  }
}

function checkIssuer(issuer: IssuerConfig, at: string): void {
  if (issuer.audiences.length === 0)
    fail(`${at}.audiences`, "is empty", "what the aud claim of its tokens is for you");
  if (issuer.algorithms.length === 0) fail(`${at}.algorithms`, "is empty", signingAlgorithms.join(", "));
  const wrong = issuer.algorithms.find((algorithm) => !signingAlgorithms.includes(algorithm));
  if (wrong !== undefined) fail(`${at}.algorithms`, `${wrong} is not taken`, signingAlgorithms.join(", "));
  checkName(issuer.principalClaim, `${at}.principalClaim`);
  checkKeySource(issuer.keys, `${at}.keys`);
  checkBelonging(issuer, at);
  if (issuer.worker) checkName(issuer.worker.claim, `${at}.worker.claim`);
}

/** What a worker's token may is said by its types alone. */
function checkWorker({ worker, scopes, grants }: StaticTokenConfig, at: string): void {
  if (!worker) return;
  if (worker.types.length === 0) fail(`${at}.worker.types`, "is empty", "operation types, or * for all");
  for (const [index, type] of worker.types.entries()) {
    if (WORKER_TYPE_PATTERN.test(type)) continue;
    fail(
      `${at}.worker.types[${index}]`,
      `${JSON.stringify(type)} is no operation type`,
      "word.word, word.* for all below it, or *",
    );
  }
  if (scopes !== null) fail(`${at}.scopes`, "says nothing of a worker", "no scopes beside worker");
  if (grants !== null) fail(`${at}.grants`, "says nothing of a worker", "no grants beside worker");
}

/** Both kinds are told apart by the `iss` of a token, so no two have the same. */
function checkIssuerName(known: Set<string>, issuer: string, at: string): void {
  if (issuer.startsWith(RESERVED_PREFIX)) fail(at, `${issuer} is an issuer of Belay's own`, "another one");
  checkUnique(known, issuer, at);
}

function checkKeySource(keys: KeySource, at: string): void {
  if (!("jwksUri" in keys)) return;
  const uri = URL.canParse(keys.jwksUri) ? new URL(keys.jwksUri) : undefined;
  const isSafe = uri?.protocol === "https:" || (uri?.protocol === "http:" && isLoopbackHost(uri.hostname));
  if (!isSafe)
    fail(`${at}.jwksUri`, `${keys.jwksUri} is refused`, "an https address, or http on a loopback one");
}

function checkIam(iam: IamConfig): void {
  const { tokenLifetimeSeconds: seconds } = iam;
  const { tokenLifetimeSecondsMin: min, tokenLifetimeSecondsMax: max } = authLimits;
  if (!(Number.isInteger(seconds) && seconds >= min && seconds <= max)) {
    fail("auth.iam.tokenLifetimeSeconds", `is ${seconds}`, `a whole number ${min}-${max}`);
  }
  for (const [index, host] of iam.hosts.entries()) {
    if (!HOST_PATTERN.test(host))
      fail(`auth.iam.hosts[${index}]`, `${host} is refused`, "a DNS name in lower case");
  }
  const hashes = new Set<string>();
  for (const [index, token] of iam.oauthTokens.entries()) {
    const at = `auth.iam.oauthTokens[${index}]`;
    checkHash(hashes, token.sha256, at);
    checkName(token.subject, `${at}.subject`);
    checkScopes(token.scopes, at);
    checkBelonging(token, at);
  }
  const ids = new Set<string>();
  for (const [index, account] of iam.serviceAccounts.entries()) {
    const at = `auth.iam.serviceAccounts[${index}]`;
    checkUnique(ids, account.serviceAccountId, `${at}.serviceAccountId`);
    checkKeys(account.keys, at);
    checkBelonging(account, at);
  }
}

function checkKeys(keys: readonly NamedKeyConfig[], at: string): void {
  if (keys.length === 0) fail(`${at}.keys`, "is empty", "at least one key with kid and publicKeyFile");
  const kids = new Set<string>();
  for (const [index, { kid }] of keys.entries()) checkUnique(kids, kid, `${at}.keys[${index}].kid`);
}

/** The tenant and the grants, fixed or told by a claim. */
function checkBelonging(
  { tenant, grants }: { tenant: string | ClaimSource; grants: readonly string[] | ClaimSource | null },
  at: string,
): void {
  if (typeof tenant !== "string") checkName(tenant.claim, `${at}.tenant.claim`);
  else if (!TENANT_PATTERN.test(tenant)) {
    fail(`${at}.tenant`, `${JSON.stringify(tenant)} is refused`, "1-63 characters of [A-Za-z0-9._-]");
  }
  if (grants === null) return;
  if ("claim" in grants) {
    checkName(grants.claim, `${at}.grants.claim`);
    return;
  }
  for (const [index, grant] of grants.entries()) {
    if (GRANT_PATTERN.test(grant)) continue;
    fail(
      `${at}.grants[${index}]`,
      `${JSON.stringify(grant)} is refused`,
      "operations, or a parent such as projects/p",
    );
  }
}

function checkScopes(scopes: readonly string[] | null, at: string): void {
  for (const [index, scope] of scopes?.entries() ?? []) {
    if (SCOPE_PATTERN.test(scope)) continue;
    fail(
      `${at}.scopes[${index}]`,
      `${JSON.stringify(scope)} is no scope`,
      "visible characters without spaces",
    );
  }
}

function checkHash(known: Set<string>, sha256: string, at: string): void {
  // Not repeated: somebody may have written the token itself.
  if (!SHA256_PATTERN.test(sha256)) fail(`${at}.sha256`, "is no hash", "what belay token --hash prints");
  if (known.has(sha256)) fail(`${at}.sha256`, "comes twice", "one entry for each token");
  known.add(sha256);
}

function checkName(name: string, at: string): void {
  if (name.length <= authLimits.principalLengthMax && NAME_PATTERN.test(name)) return;
  fail(
    at,
    `${JSON.stringify(name.slice(0, 64))} is refused`,
    `1-${authLimits.principalLengthMax} characters`,
  );
}

function checkUnique(known: Set<string>, name: string, at: string): void {
  checkName(name, at);
  if (known.has(name)) fail(at, `${name} comes twice`, "one entry for each");
  known.add(name);
}

function fail(at: string, problem: string, expected: string): never {
  throw new TypeError(`${at}: ${problem}; expected ${expected}`);
}
