// Bugs of tokens: whose they are, for whom, how long, and how they end.
import { byAuthenticator, byIam, byWire } from "./killers.ts";
import type { Mutant } from "./run-mutant.ts";

const CLAIMS = "src/server/auth/token-claims.ts";
const CHECKER = "src/server/auth/token-checker.ts";
const IAM = "src/server/auth/iam-tokens.ts";
const REST_CALL = "src/server/rest-call.ts";

const tokens: readonly Mutant[] = [
  {
    name: "an ended token is served from the cache",
    breaks: "T4",
    edits: [
      {
        file: "src/server/auth/token-cache.ts",
        find: "const until = Math.min(token.expiresAt, now + AGE_MAX_US);",
        replace: "const until = now + AGE_MAX_US;",
      },
    ],
    killers: [{ file: "src/server/auth/token-cache.test.ts", title: "no entry", says: "Property failed" }],
  },
  {
    name: "a cached token is never verified again",
    breaks: "T5",
    edits: [
      {
        file: "src/server/auth/token-cache.ts",
        find: "const until = Math.min(token.expiresAt, now + AGE_MAX_US);",
        replace: "const until = token.expiresAt;",
      },
    ],
    killers: [{ file: "src/server/auth/token-cache.test.ts", title: "no entry", says: "Property failed" }],
  },
  {
    name: "an expired token is good",
    breaks: "T4",
    edits: [
      {
        file: CLAIMS,
        find: 'if (exp <= nowSeconds - CLOCK_SKEW_SECONDS) throw new RpcError("ACCESS_TOKEN_EXPIRED");',
        replace: 'if (exp <= 0) throw new RpcError("ACCESS_TOKEN_EXPIRED");',
      },
    ],
    killers: [byAuthenticator("a token expired, beyond the skew")],
  },
  {
    name: "a token that is not valid yet is good",
    breaks: "T4",
    edits: [
      {
        file: CLAIMS,
        find: "if (start > nowSeconds + CLOCK_SKEW_SECONDS)",
        replace: "if (start === Number.POSITIVE_INFINITY)",
      },
    ],
    killers: [byAuthenticator("a token with nbf in the future")],
  },
  {
    name: "a token for another audience is good",
    breaks: "T4",
    edits: [
      { file: CLAIMS, find: ".some((audience) => audiences.includes(audience)))", replace: ".length > 0)" },
    ],
    killers: [byAuthenticator("a token for another audience")],
  },
  {
    name: "any algorithm that fits the key is taken",
    breaks: "T4",
    edits: [
      {
        file: "src/server/auth/json-web-token.ts",
        find: "compactVerify(text, keys, { algorithms: [...algorithms] })",
        replace: "compactVerify(text, keys)",
      },
    ],
    killers: [byAuthenticator("with an algorithm that is not listed")],
  },
  {
    name: "a service account speaks for whom it names",
    breaks: "T4",
    edits: [
      {
        file: "src/server/auth/service-account-tokens.ts",
        find: 'if (claims["sub"] !== config.email)',
        replace: 'if (typeof claims["sub"] !== "string")',
      },
    ],
    killers: [byAuthenticator("a service account's token for somebody else")],
  },
  {
    name: "made-up key ids make us ask the issuer each time",
    breaks: "T5",
    edits: [
      {
        file: "src/server/auth/remote-keys.ts",
        find: "if (this.#pending || this.#mayFetch(UNKNOWN_KEY_PERIOD_MS)) await this.#fetch();",
        replace: "await this.#fetch();",
      },
    ],
    killers: [
      {
        file: "src/server/auth/remote-keys.test.ts",
        title: "an unknown key id fetches them again",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "an issuer that is down stops tokens whose keys are at hand",
    breaks: "T5",
    edits: [
      {
        file: "src/server/auth/remote-keys.ts",
        find: "      this.#hasFailed = true;\n",
        replace: "      this.#hasFailed = true;\n      this.#keys = undefined;\n",
      },
    ],
    killers: [
      {
        file: "src/server/auth/remote-keys.test.ts",
        title: "a dead key server stops no token",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "a token is found by the first bytes of its hash",
    breaks: "T4",
    edits: [
      {
        file: "src/server/auth/token-hash.ts",
        find: "bucket.find((row) => timingSafeEqual(row.digest, digest))",
        replace: "bucket.find((row) => timingSafeEqual(row.digest.subarray(0, 4), digest.subarray(0, 4)))",
      },
    ],
    killers: [{ file: "src/server/auth/token-hash.test.ts", says: "AssertionError" }],
  },
  {
    name: "of two authorization headers the first one counts",
    breaks: "T6",
    edits: [
      {
        file: "src/server/auth/authorization-header.ts",
        find: "if (values.length > 1)",
        replace: "if (values.length > 9)",
      },
    ],
    killers: [
      { file: "src/server/auth/authorization-header.test.ts", title: "two headers", says: "AssertionError" },
    ],
  },
  {
    name: "REST shows one authorization header of two",
    breaks: "T6",
    edits: [
      {
        file: REST_CALL,
        find: "return this.#parts.request.raw.headersDistinct[name] ?? [];",
        replace: "return this.#parts.request.raw.headersDistinct[name]?.slice(0, 1) ?? [];",
      },
    ],
    killers: [byWire("two authorization headers")],
  },
  {
    name: "gRPC shows one authorization header of two",
    breaks: "T6",
    edits: [
      {
        file: "src/server/grpc-listener.ts",
        find: "    keepRepeatedCredentials(this.#server);\n",
        replace: "",
      },
    ],
    killers: [
      {
        file: "tests/conformance/identity/refused-tokens.test.ts",
        title: "two authorization headers",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "a gRPC call without credentials is not told what to bring",
    breaks: "R28",
    edits: [
      {
        file: "src/server/grpc-errors.ts",
        find: '  if (challenge !== undefined) metadata.set("www-authenticate", challenge);\n',
        replace: "",
      },
    ],
    killers: [byWire("no credential comes before a malformed name")],
  },
  {
    name: "a 401 without a challenge",
    breaks: "R28",
    edits: [
      {
        file: "src/transcoding/error-body.ts",
        find: '  if (challenge !== undefined) headers["www-authenticate"] = challenge;\n',
        replace: "",
      },
    ],
    killers: [
      {
        file: "src/transcoding/www-authenticate.test.ts",
        title: "the challenge of CREDENTIALS_MISSING",
        says: "AssertionError",
      },
    ],
  },
];

const iamTokens: readonly Mutant[] = [
  {
    name: "a token that was made for anybody is good once there is identity",
    breaks: "T4",
    edits: [
      {
        file: IAM,
        find: "if (openTo) this.#principals.set(VIA_NOTHING, openTo);",
        replace:
          'this.#principals.set(VIA_NOTHING, openTo ?? { id: "anonymous", tenant: "default", scopes: null, grants: null });',
      },
    ],
    killers: [byIam("a token that was made without identity")],
  },
  {
    name: "a service account may sign with RS256",
    breaks: "T4",
    edits: [{ file: IAM, find: '(jwt, ["PS256"], ', replace: '(jwt, ["PS256", "RS256"], ' }],
    killers: [byIam("a service account's token signed with RS256")],
  },
  {
    name: "a key file that others can read is trusted",
    breaks: "T6",
    edits: [{ file: "src/base/private-files.ts", find: "(mode & OTHERS) !== 0", replace: "mode === OTHERS" }],
    killers: [
      {
        file: "src/server/auth/revoked-tokens.test.ts",
        title: "a list that others can read",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "a revoked token is still good from the cache",
    breaks: "T4",
    edits: [
      {
        file: CHECKER,
        find: "if (revocableId !== null && this.#options.isRevoked(revocableId))",
        replace: 'if (revocableId === "")',
      },
    ],
    killers: [byIam("a revoked token is refused at once")],
  },
  {
    name: "a restart forgets what was revoked",
    breaks: "T4",
    edits: [
      {
        file: "src/server/auth/revoked-tokens.ts",
        find: "if (expiresAt > now) this.#ends.set(id, expiresAt);",
        replace: "if (expiresAt < now) this.#ends.set(id, expiresAt);",
      },
    ],
    killers: [byIam("a revoked token is refused at once")],
  },
  {
    name: "a Revoke is acknowledged although nothing of it was kept",
    breaks: "G9",
    edits: [
      {
        file: "src/server/auth/revoked-tokens.ts",
        find: "      await written;\n",
        replace: "      void this.#tail;\n",
      },
    ],
    killers: [
      {
        file: "src/server/auth/revoked-tokens.test.ts",
        title: "a revocation that cannot be written",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "a dot in a configured host is any character in an audience",
    breaks: "T4",
    edits: [{ file: IAM, find: 'host.replaceAll(".", "\\\\.")', replace: "host" }],
    killers: [byIam("for a host that ends alike")],
  },
  {
    name: "a service account's token may live as long as it says",
    breaks: "T4",
    edits: [
      {
        file: IAM,
        find: "checkTimes(claims, this.#clock.now(), JWT_LIFETIME_SECONDS_MAX);",
        replace: "checkTimes(claims, this.#clock.now());",
      },
    ],
    killers: [byIam("a service account's token longer than an hour")],
  },
  {
    name: "the token of a credential that was taken away stays good",
    breaks: "T4",
    edits: [
      {
        file: IAM,
        find: 'const principal = this.#principals.get(String(claims["via"]));',
        replace:
          'const principal = this.#principals.get(String(claims["via"])) ?? { id: String(claims["sub"]), tenant: "default", scopes: null, grants: null };',
      },
    ],
    killers: [byIam("a credential that is taken out")],
  },
];

export const tokenMutants: readonly Mutant[] = [...tokens, ...iamTokens];
