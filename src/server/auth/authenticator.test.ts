// Every kind of token against a whole authenticator: who it says is calling, and the exact reason of every refusal.
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { after, before, type TestContext, test } from "node:test";
import {
  AUDIENCE,
  authConfig,
  fileWith,
  goodClaims,
  ISSUER,
  issuerConfig,
  type KeyServer,
  keptLog,
  makeKey,
  NOW_SECONDS,
  refusalOf,
  type SettableClock,
  settableClock,
  sign,
  startKeyServer,
  type TestClaims,
  type TestKey,
} from "./auth.fixture.ts";
import type { AuthConfig } from "./auth-config.ts";
import { createAuthenticator } from "./authenticator.ts";
import type { Identity } from "./identity.ts";

const STATIC_TOKEN = "static-token-of-the-tests";
const EMAIL = "robot@project.iam.example.com";

const cleanups: (() => void)[] = [];
const t: Pick<TestContext, "after"> = { after: (cleanup) => void cleanups.push(cleanup as () => void) };
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

let es: TestKey;
let rsa: TestKey;
let stranger: TestKey;
let robot: TestKey;
let keyServer: KeyServer;
let clock: SettableClock;
let identity: Identity;
const log = keptLog();

before(async () => {
  [es, rsa, stranger, robot] = await Promise.all([
    makeKey("ES256", "es-1"),
    makeKey("RS256", "rsa-1"),
    makeKey("ES256", "es-1"),
    makeKey("RS256", "robot-1"),
  ]);
  keyServer = await startKeyServer(t, [es.jwk, rsa.jwk]);
  clock = settableClock();
  identity = create({
    issuers: [issuerConfig({ keys: { jwksUri: keyServer.uri } })],
    serviceAccounts: [
      {
        email: EMAIL,
        keys: [{ kid: "robot-1", publicKeyFile: fileWith(t, robot.pem) }],
        audiences: ["https://vault.example.com/"],
        tenant: "robots",
        grants: ["operations"],
      },
    ],
    staticTokens: [
      {
        sha256: sha256(STATIC_TOKEN),
        principal: "user:static",
        tenant: "acme",
        scopes: ["read"],
        grants: ["projects/p"],
      },
    ],
  });
});

after(() => {
  for (const cleanup of cleanups) cleanup();
});

function create(settings: Partial<AuthConfig>): Identity {
  const made = createAuthenticator(authConfig(settings), { folder: null, logger: log.logger, clock });
  t.after(() => void made.close());
  return made;
}

const bearer = (token: string): unknown => identity.authenticateHeader([`Bearer ${token}`], "google");
const signed = (claims: TestClaims): Promise<string> => sign(es, goodClaims(claims));
const unsigned = (header: object, claims: TestClaims): string =>
  [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");

test("a token of the issuer is its user, with its scopes, in the configured tenant", async () => {
  assert.deepEqual(await bearer(await signed({})), {
    id: "user:ada",
    tenant: "default",
    scopes: ["read", "write"],
    grants: null,
  });
  assert.deepEqual(await bearer(await sign(rsa, goodClaims({ sub: "bob", scope: undefined, scp: ["x"] }))), {
    id: "user:bob",
    tenant: "default",
    scopes: ["x"],
    grants: null,
  });
});

test("a token without a scope claim has no scopes, and one audience of several is enough", async () => {
  const principal = await bearer(await signed({ scope: undefined, aud: ["other", AUDIENCE] }));
  assert.deepEqual((principal as { scopes: unknown }).scopes, []);
});

test("a token with the claim of workers is a worker's, for the types that it names; one without it is a caller's", async () => {
  const keys = { publicKeyFile: fileWith(t, es.pem), kid: null };
  const own = create({ issuers: [issuerConfig({ keys, worker: { claim: "types" } })] });
  const typesOf = async (claims: TestClaims): Promise<unknown> => {
    const principal = await own.authenticateHeader([`Bearer ${await signed(claims)}`], "google");
    return principal.workerTypes;
  };
  assert.deepEqual(await typesOf({ types: "ocr.read a.*" }), ["ocr.read", "a.*"]);
  assert.deepEqual(await typesOf({ types: ["*"] }), ["*"]);
  assert.equal(await typesOf({}), undefined);
  for (const types of [[], "", "A B", [1], 7]) {
    assert.equal(await refusalOf(() => typesOf({ types })), invalid("its types claim is malformed"));
  }
});

test("a service account's own token is that account, with the scopes that it claims", async () => {
  const claims = { iss: EMAIL, sub: EMAIL, scope: "a b", iat: NOW_SECONDS, exp: NOW_SECONDS + 3600 };
  const expected = {
    id: `serviceAccount:${EMAIL}`,
    tenant: "robots",
    scopes: ["a", "b"],
    grants: ["operations"],
  };
  assert.deepEqual(await bearer(await sign(robot, claims)), expected);
  const withAudience = { ...claims, aud: "https://vault.example.com/" };
  assert.deepEqual(await bearer(await sign(robot, withAudience)), expected);
});

test("a static token is known at once, without a promise", () => {
  const expected = { id: "user:static", tenant: "acme", scopes: ["read"], grants: ["projects/p"] };
  assert.deepEqual(bearer(STATIC_TOKEN), expected);
  assert.deepEqual(identity.authenticateHeader([`bearer  ${STATIC_TOKEN}`], "google"), expected);
});

test("Api-Key takes a static token on a yandex service only, and no signed token", async () => {
  const key = [`Api-Key ${STATIC_TOKEN}`];
  assert.equal((identity.authenticateHeader(key, "yandex") as { id: string }).id, "user:static");
  assert.equal(
    await refusalOf(() => identity.authenticateHeader(key, "google")),
    "ACCESS_TOKEN_TYPE_UNSUPPORTED",
  );
  const token = [`Api-Key ${await signed({})}`];
  assert.equal(
    await refusalOf(() => identity.authenticateHeader(token, "yandex")),
    "ACCESS_TOKEN_INVALID: the API key is not known here",
  );
});

const invalid = (problem: string): string => `ACCESS_TOKEN_INVALID: ${problem}`;

/** Claims that a good signature does not save. */
const badClaims: [title: string, claims: TestClaims, refusal: string][] = [
  ["expired, beyond the skew of 30 s", { exp: NOW_SECONDS - 30 }, "ACCESS_TOKEN_EXPIRED"],
  ["without exp", { exp: undefined }, invalid("it has no exp claim")],
  ["with an exp that is a text", { exp: "soon" }, invalid("its exp claim is no number")],
  ["with nbf in the future", { nbf: NOW_SECONDS + 31 }, invalid("it is not valid yet")],
  ["issued in the future", { iat: NOW_SECONDS + 31 }, invalid("it is not valid yet")],
  ["for another audience", { aud: "other" }, invalid("its audience is not this server")],
  ["without an audience", { aud: undefined }, invalid("its audience is not this server")],
  ["with an audience that is a number", { aud: 7 }, invalid("its aud claim is malformed")],
  ["of another issuer", { iss: "https://else.example.com/" }, invalid("its issuer is not trusted here")],
  ["whose issuer lacks the slash", { iss: ISSUER.slice(0, -1) }, invalid("its issuer is not trusted here")],
  ["without an issuer", { iss: undefined }, invalid("its issuer is not trusted here")],
  ["of our own IAM issuer, but signed by others", { iss: "belay/iam" }, invalid("its key is not known")],
  ["without a subject", { sub: undefined }, invalid("it has no sub claim")],
  ["whose subject has a line feed", { sub: "a\nb" }, invalid("its sub claim is malformed")],
  ["with a scope claim that is a number", { scope: 1 }, invalid("its scope claim is malformed")],
];

for (const [title, claims, refusal] of badClaims) {
  test(`a token ${title} is refused`, async () => {
    const token = await signed(claims);
    assert.equal(await refusalOf(() => bearer(token)), refusal);
  });
}

test("clocks may differ by 30 s", async () => {
  const token = await signed({ exp: NOW_SECONDS - 29, nbf: NOW_SECONDS + 30, iat: NOW_SECONDS + 30 });
  assert.equal(await refusalOf(() => bearer(token)), "taken");
});

/** Tokens whose signature or key is wrong. */
const forgeries: [title: string, make: () => string | Promise<string>, refusal: string][] = [
  [
    "signed by a stranger's key with a known id",
    () => sign(stranger, goodClaims()),
    invalid("its signature does not match"),
  ],
  ["with an unknown key id", () => sign(es, goodClaims(), { kid: "es-2" }), invalid("its key is not known")],
  [
    "with alg none",
    () => `${unsigned({ alg: "none" }, goodClaims())}.`,
    invalid("its algorithm is not accepted"),
  ],
  [
    "with alg None and a signature",
    () => `${unsigned({ alg: "None" }, goodClaims())}.AAAA`,
    invalid("its algorithm is not accepted"),
  ],
  [
    "with HS256 over the public key as the secret",
    () => {
      const text = unsigned({ alg: "HS256", kid: "rsa-1" }, goodClaims());
      return `${text}.${createHmac("sha256", rsa.pem).update(text).digest("base64url")}`;
    },
    invalid("its algorithm is not accepted"),
  ],
  [
    "with an algorithm that is not listed",
    async () => sign(await makeKey("ES384", "es-1"), goodClaims()),
    invalid("its algorithm is not accepted"),
  ],
  [
    "that names the algorithm of another key",
    async () => {
      const [, payload, signature] = (await signed({})).split(".");
      const header = Buffer.from(JSON.stringify({ alg: "RS256", kid: "es-1" })).toString("base64url");
      return `${header}.${payload}.${signature}`;
    },
    invalid("its key is not known"),
  ],
  [
    "with changed claims",
    async () => {
      const [header, , signature] = (await signed({})).split(".");
      const payload = Buffer.from(JSON.stringify(goodClaims({ sub: "eve" }))).toString("base64url");
      return `${header}.${payload}.${signature}`;
    },
    invalid("its signature does not match"),
  ],
  [
    "that brings its own key",
    () => sign(stranger, goodClaims(), { kid: undefined, jwk: stranger.jwk }),
    invalid("its signature does not match"),
  ],
  [
    "with a critical header that nobody knows",
    async () => {
      const [, payload, signature] = (await signed({})).split(".");
      const header = { alg: "ES256", kid: "es-1", crit: ["exp"], exp: 1 };
      return `${Buffer.from(JSON.stringify(header)).toString("base64url")}.${payload}.${signature}`;
    },
    invalid("it is malformed"),
  ],
  ["that is no token at all", () => "garbage", invalid("it is not known here")],
  ["of three parts that are no JSON", () => "aaaa.bbbb.cccc", invalid("it is not known here")],
  [
    "whose payload is a list",
    () => `${unsigned({ alg: "ES256" }, [] as never)}.AAAA`,
    invalid("it is not known here"),
  ],
  ["of five parts", async () => `${await signed({})}.AAAA.AAAA`, invalid("it is not known here")],
];

for (const [title, make, refusal] of forgeries) {
  test(`a token ${title} is refused`, async () => {
    const token = await make();
    assert.equal(await refusalOf(() => bearer(token)), refusal);
  });
}

/** Self-signed tokens that are not what a service account may sign. */
const badAccountClaims: [title: string, claims: TestClaims, refusal: string][] = [
  ["longer than an hour", { exp: NOW_SECONDS + 3631 }, invalid("its exp is more than 3600 s after its iat")],
  ["without iat", { iat: undefined }, invalid("it has no iat claim")],
  ["for somebody else", { sub: "boss@example.com" }, invalid("its sub is not its iss")],
  ["for another audience", { aud: "https://x/" }, invalid("its audience is not this server")],
];

for (const [title, claims, refusal] of badAccountClaims) {
  test(`a service account's token ${title} is refused`, async () => {
    const good = { iss: EMAIL, sub: EMAIL, scope: "a", iat: NOW_SECONDS, exp: NOW_SECONDS + 3600 };
    const token = await sign(robot, { ...good, ...claims });
    assert.equal(await refusalOf(() => bearer(token)), refusal);
  });
}

test("a service account's key signs for nobody else", async () => {
  const token = await sign(robot, goodClaims());
  assert.equal(await refusalOf(() => bearer(token)), invalid("its key is not known"));
});

test("the second call with a token is answered at once, and never after its end", async () => {
  const token = await signed({ exp: NOW_SECONDS + 60 });
  await bearer(token);
  assert.ok(!(bearer(token) instanceof Promise));
  clock.seconds = NOW_SECONDS + 59;
  assert.ok(!(bearer(token) instanceof Promise));
  clock.seconds = NOW_SECONDS + 60;
  const atItsEnd = bearer(token);
  assert.ok(atItsEnd instanceof Promise);
  // 30 s of skew are the verifier's affair, not the cache's.
  await atItsEnd;
  clock.seconds = NOW_SECONDS + 91;
  assert.equal(await refusalOf(() => bearer(token)), "ACCESS_TOKEN_EXPIRED");
  clock.seconds = NOW_SECONDS;
});

test("a long token is verified again after five minutes", async () => {
  const token = await signed({ exp: NOW_SECONDS + 86_400 });
  await bearer(token);
  clock.seconds = NOW_SECONDS + 299;
  assert.ok(!(bearer(token) instanceof Promise));
  clock.seconds = NOW_SECONDS + 300;
  assert.ok(bearer(token) instanceof Promise);
  await bearer(token);
  clock.seconds = NOW_SECONDS;
});

test("tenant, grants and name may come from claims", async () => {
  const own = create({
    issuers: [
      issuerConfig({
        keys: { jwksUri: keyServer.uri },
        principalClaim: "email",
        tenant: { claim: "org" },
        grants: { claim: "parents" },
      }),
    ],
  });
  const call = async (claims: TestClaims): Promise<unknown> =>
    own.authenticateHeader(
      [`Bearer ${await sign(es, goodClaims({ email: "a@b", org: "acme", ...claims }))}`],
      "google",
    );
  const expected = { id: "user:a@b", tenant: "acme", scopes: ["read", "write"], grants: ["projects/p"] };
  assert.deepEqual(await call({ parents: ["projects/p"] }), expected);
  assert.deepEqual(await call({ parents: "projects/p" }), expected);
  assert.deepEqual(await call({}), { ...expected, grants: [] });
  const refusals: [TestClaims, string][] = [
    [{ org: undefined }, "it has no org claim"],
    [{ org: "a/b" }, "its org claim is malformed"],
    [{ org: 7 }, "its org claim is malformed"],
    [{ parents: ["projects/"] }, "its parents claim is malformed"],
    [{ parents: [1] }, "its parents claim is malformed"],
    [{ email_verified: false }, "its email is not verified"],
  ];
  for (const [claims, problem] of refusals) {
    assert.equal(await refusalOf(() => call(claims)), invalid(problem), JSON.stringify(claims));
  }
});

test("nothing of a token is in an answer or in the log", async () => {
  const secret = "s3cr3t-of-the-caller";
  const texts = [
    `${secret}`,
    `Bearer ${secret} ${secret}`,
    `${secret} x`,
    `Basic ${secret}`,
    `Bearer ${secret}`,
  ];
  for (const text of texts) {
    await assert.rejects(
      async () => identity.authenticateHeader([text], "google"),
      (error: Error) => !JSON.stringify([error.message, error]).includes(secret),
    );
  }
  assert.ok(!log.lines.join("").includes(secret));
});

test("without configuration everybody is anonymous, whatever they send", () => {
  const open = createAuthenticator(null, { folder: null, logger: log.logger });
  assert.deepEqual(open.authenticateHeader(["Basic x", "Bearer y"], "google"), {
    id: "anonymous",
    tenant: "default",
    scopes: null,
    grants: null,
  });
});
