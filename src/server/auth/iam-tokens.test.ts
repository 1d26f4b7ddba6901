// IAM tokens: what is exchanged for them, how long they are good, and how they end. Real keys, real files.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, type TestContext, test } from "node:test";
import { decodeJwt, decodeProtectedHeader } from "jose";
import {
  authConfig,
  fileWith,
  keptLog,
  makeKey,
  NOW_SECONDS,
  refusalOf,
  type SettableClock,
  settableClock,
  sign,
  type TestClaims,
  type TestKey,
  temporaryFolder,
} from "./auth.fixture.ts";
import type { IamConfig } from "./auth-config.ts";
import { createAuthenticator } from "./authenticator.ts";
import type { Identity } from "./identity.ts";

const OAUTH_TOKEN = "y0_oauth-token-of-ada";
const ACCOUNT = "aje00000000000000001";
const AUDIENCE = "https://iam.api.cloud.yandex.net/iam/v1/tokens";
const ADA = { id: "aje-ada", tenant: "acme", scopes: null, grants: null };

let key: TestKey;
let other: TestKey;

before(async () => {
  [key, other] = await Promise.all([makeKey("PS256", "ajk1"), makeKey("PS256", "ajk1")]);
});

interface Rig {
  identity: Identity;
  clock: SettableClock;
  folder: string;
  /** A new authenticator on the same folder: a restart. */
  restart(settings?: Partial<IamConfig>): Identity;
}

function rig(t: TestContext, settings: Partial<IamConfig> = {}): Rig {
  const clock = settableClock();
  const folder = join(temporaryFolder(t), "identity");
  const publicKeyFile = fileWith(t, key.pem);
  const restart = (changed: Partial<IamConfig> = {}): Identity => {
    const iam: IamConfig = {
      oauthTokens: [
        {
          sha256: createHash("sha256").update(OAUTH_TOKEN).digest("hex"),
          subject: ADA.id,
          tenant: "acme",
          scopes: null,
          grants: null,
        },
      ],
      serviceAccounts: [
        {
          serviceAccountId: ACCOUNT,
          keys: [{ kid: "ajk1", publicKeyFile }],
          tenant: "robots",
          grants: ["operations"],
        },
      ],
      tokenLifetimeSeconds: 3600,
      hosts: ["api.cloud.yandex.net", "localhost"],
      ...changed,
    };
    const identity = createAuthenticator(authConfig({ iam }), { folder, logger: keptLog().logger, clock });
    t.after(() => identity.close());
    return identity;
  };
  return { identity: restart(settings), clock, folder, restart };
}

const call = (identity: Identity, token: string): unknown =>
  identity.authenticateHeader([`Bearer ${token}`], "yandex");

const accountClaims = (claims: TestClaims = {}): TestClaims => ({
  iss: ACCOUNT,
  aud: AUDIENCE,
  iat: NOW_SECONDS,
  exp: NOW_SECONDS + 3600,
  ...claims,
});

test("an OAuth token that is listed becomes an IAM token of its subject", async (t) => {
  const { identity } = rig(t);
  const { token, expiresAt } = await identity.iamTokens.exchangeOauthToken(OAUTH_TOKEN);
  assert.equal(expiresAt, (NOW_SECONDS + 3600) * 1_000_000);
  assert.ok(token.length <= 4096);
  assert.equal(decodeJwt(token).exp, NOW_SECONDS + 3600);
  assert.match(decodeProtectedHeader(token).kid ?? "", /^iam[a-z0-9]{17}$/);
  assert.deepEqual(await call(identity, token), ADA);
  assert.ok(!JSON.stringify(decodeJwt(token)).includes(OAUTH_TOKEN));
});

test("an OAuth token that is not listed is refused", async (t) => {
  const { identity } = rig(t);
  assert.equal(
    await refusalOf(() => identity.iamTokens.exchangeOauthToken(`${OAUTH_TOKEN}x`)),
    "ACCESS_TOKEN_INVALID: the OAuth token is not known here",
  );
});

test("a service account's signed token becomes an IAM token of that account", async (t) => {
  const { identity } = rig(t);
  for (const aud of [
    AUDIENCE,
    [AUDIENCE],
    "https://iam.localhost:18443/iam/v1/tokens",
    "https://iam.localhost/iam/v1/tokens",
  ]) {
    const { token } = await identity.iamTokens.exchangeJwt(await sign(key, accountClaims({ aud })));
    assert.deepEqual(await call(identity, token), {
      id: ACCOUNT,
      tenant: "robots",
      scopes: null,
      grants: ["operations"],
    });
  }
});

const invalid = (problem: string): string => `ACCESS_TOKEN_INVALID: ${problem}`;
const wrongAudience = invalid("its audience is not this server");

const refused: [title: string, make: () => Promise<string>, refusal: string][] = [
  [
    "of an unknown account",
    () => sign(key, accountClaims({ iss: "x" })),
    invalid("the service account is not known here"),
  ],
  ["that is no token", async () => "garbage", invalid("the service account is not known here")],
  ["signed by another key", () => sign(other, accountClaims()), invalid("its signature does not match")],
  ["of an unknown key", () => sign(key, accountClaims(), { kid: "ajk2" }), invalid("its key is not known")],
  [
    "without a key id",
    () => sign(key, accountClaims(), { kid: undefined }),
    invalid("it does not say which key it is signed with"),
  ],
  [
    "signed with RS256",
    async () => sign(await makeKey("RS256", "ajk1"), accountClaims()),
    invalid("its algorithm is not accepted"),
  ],
  [
    "that has expired",
    () => sign(key, accountClaims({ iat: NOW_SECONDS - 3631, exp: NOW_SECONDS - 31 })),
    "ACCESS_TOKEN_EXPIRED",
  ],
  [
    "longer than an hour",
    () => sign(key, accountClaims({ exp: NOW_SECONDS + 3631 })),
    invalid("its exp is more than 3600 s after its iat"),
  ],
  ["without an audience", () => sign(key, accountClaims({ aud: undefined })), wrongAudience],
  [
    "for another host",
    () => sign(key, accountClaims({ aud: "https://iam.example.com/iam/v1/tokens" })),
    wrongAudience,
  ],
  [
    "for a host that ends alike",
    () => sign(key, accountClaims({ aud: "https://iam.apixcloud.yandex.net/iam/v1/tokens" })),
    wrongAudience,
  ],
  ["for another path", () => sign(key, accountClaims({ aud: `${AUDIENCE}/x` })), wrongAudience],
  ["over http", () => sign(key, accountClaims({ aud: AUDIENCE.replace("https", "http") })), wrongAudience],
];

for (const [title, make, refusal] of refused) {
  test(`a service account's token ${title} is refused`, async (t) => {
    const { identity } = rig(t);
    const jwt = await make();
    assert.equal(await refusalOf(() => identity.iamTokens.exchangeJwt(jwt)), refusal);
  });
}

test("an IAM token ends at its time, and is no token to exchange", async (t) => {
  const { identity, clock } = rig(t);
  const { token } = await identity.iamTokens.exchangeOauthToken(OAUTH_TOKEN);
  assert.equal(
    await refusalOf(() => identity.iamTokens.exchangeJwt(token)),
    invalid("the service account is not known here"),
  );
  clock.seconds += 3630;
  assert.equal(await refusalOf(() => call(identity, token)), "ACCESS_TOKEN_EXPIRED");
});

test("a revoked token is refused at once, from the cache too, and after a restart; others go on", async (t) => {
  const { identity, folder, restart } = rig(t);
  const [{ token }, { token: kept }] = await Promise.all([
    identity.iamTokens.exchangeOauthToken(OAUTH_TOKEN),
    identity.iamTokens.exchangeOauthToken(OAUTH_TOKEN),
  ]);
  await call(identity, token);
  assert.equal(await identity.iamTokens.revoke(token), ADA.id);
  assert.equal(await refusalOf(() => call(identity, token)), invalid("it was revoked"));
  assert.equal(await identity.iamTokens.revoke(token), ADA.id);
  const restarted = restart();
  assert.equal(await refusalOf(() => call(restarted, token)), invalid("it was revoked"));
  assert.deepEqual(await call(restarted, kept), ADA);
  assert.equal(readFileSync(join(folder, "revoked-tokens"), "utf8").split("\n").length, 2);
});

test("revoking a token that has ended changes nothing, and foreign tokens are not ours", async (t) => {
  const { identity, clock, restart } = rig(t);
  const { token } = await identity.iamTokens.exchangeOauthToken(OAUTH_TOKEN);
  const [header, payload] = token.split(".");
  const foreign = [
    "garbage",
    `${header}.${payload}.AAAA`,
    await sign(key, accountClaims()),
    await sign(await makeKey("ES256", String(decodeProtectedHeader(token).kid)), decodeJwt(token)),
  ];
  for (const text of foreign) assert.equal(await identity.iamTokens.revoke(text), undefined);
  clock.seconds += 86_400;
  assert.equal(await identity.iamTokens.revoke(token), ADA.id);
  assert.deepEqual(
    await call(restart(), (await identity.iamTokens.exchangeOauthToken(OAUTH_TOKEN)).token),
    ADA,
  );
});

test("a credential that is taken out of the configuration takes its tokens with it", async (t) => {
  const { identity, restart } = rig(t);
  const { token } = await identity.iamTokens.exchangeOauthToken(OAUTH_TOKEN);
  const { token: robot } = await identity.iamTokens.exchangeJwt(await sign(key, accountClaims()));
  const restarted = restart({ oauthTokens: [], serviceAccounts: [] });
  for (const gone of [token, robot]) {
    assert.equal(
      await refusalOf(() => call(restarted, gone)),
      invalid("its subject is not known here any more"),
    );
  }
});

test("the signing key is kept in the folder for this user only, and replaced after 30 days", async (t) => {
  const { identity, clock, folder, restart } = rig(t, { tokenLifetimeSeconds: 86_400 });
  const { token: first } = await identity.iamTokens.exchangeOauthToken(OAUTH_TOKEN);
  assert.equal(statSync(join(folder, "iam-keys.json")).mode & 0o777, 0o600);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  clock.seconds += 30 * 86_400 - 1;
  const { token: last } = await identity.iamTokens.exchangeOauthToken(OAUTH_TOKEN);
  assert.equal(decodeProtectedHeader(last).kid, decodeProtectedHeader(first).kid);
  clock.seconds += 1;
  const { token: next } = await identity.iamTokens.exchangeOauthToken(OAUTH_TOKEN);
  assert.notEqual(decodeProtectedHeader(next).kid, decodeProtectedHeader(first).kid);
  clock.seconds += 86_390;
  const restarted = restart();
  assert.deepEqual([await call(restarted, last), await call(restarted, next)], [ADA, ADA]);
  // 30 days later the first key goes, since nothing that it has signed can be good any more.
  clock.seconds += 30 * 86_400;
  await restarted.iamTokens.exchangeOauthToken(OAUTH_TOKEN);
  const { keys } = JSON.parse(readFileSync(join(folder, "iam-keys.json"), "utf8")) as { keys: unknown[] };
  assert.equal(keys.length, 2);
});

test("no token is made with a key that cannot be kept", async (t) => {
  const { identity, folder } = rig(t);
  // The folder's place is taken by a file.
  writeFileSync(folder, "");
  assert.equal(
    await refusalOf(() => identity.iamTokens.exchangeOauthToken(OAUTH_TOKEN)),
    "STORAGE_UNAVAILABLE",
  );
  rmSync(folder);
  await identity.iamTokens.exchangeOauthToken(OAUTH_TOKEN);
});

test("without identity whatever is exchanged is a token of the anonymous principal", async () => {
  const open = createAuthenticator(null, { folder: null, logger: keptLog().logger });
  for (const { token } of [
    await open.iamTokens.exchangeOauthToken("anything"),
    await open.iamTokens.exchangeJwt("anything"),
  ]) {
    assert.notEqual(token, "");
    assert.equal(await open.iamTokens.revoke(token), "anonymous");
  }
});

test("a token that was made without identity is nobody's once there is identity", async (t) => {
  const { identity, folder, clock } = rig(t);
  await identity.iamTokens.exchangeOauthToken(OAUTH_TOKEN);
  const open = createAuthenticator(null, { folder, logger: keptLog().logger, clock });
  t.after(() => open.close());
  const { token } = await open.iamTokens.exchangeOauthToken("anything");
  assert.equal(
    await refusalOf(() => call(identity, token)),
    invalid("its subject is not known here any more"),
  );
});
