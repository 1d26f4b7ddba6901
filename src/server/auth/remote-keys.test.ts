// Keys behind an address, against a real HTTP server: when they are fetched, and what happens when they cannot be.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { exportJWK, type JWK } from "jose";
import {
  goodClaims,
  type KeyServer,
  keptLog,
  makeKey,
  refusalOf,
  sign,
  startKeyServer,
  type TestKey,
} from "./auth.fixture.ts";
import { verifySignature } from "./json-web-token.ts";
import { RemoteKeys } from "./remote-keys.ts";

let old: TestKey;
let fresh: TestKey;
let oldToken: string;
let freshToken: string;

before(async () => {
  [old, fresh] = await Promise.all([makeKey("ES256", "old"), makeKey("ES256", "fresh")]);
  [oldToken, freshToken] = await Promise.all([sign(old, goodClaims()), sign(fresh, goodClaims())]);
});

interface Rig {
  keyServer: KeyServer;
  keys: RemoteKeys;
  lines: string[];
  passMs(durationMs: number): void;
  verify(token: string): Promise<string>;
}

async function rig(t: Parameters<typeof startKeyServer>[0], jwks: JWK[]): Promise<Rig> {
  const keyServer = await startKeyServer(t, jwks);
  const { logger, lines } = keptLog();
  let nowMs = 1_000_000;
  const keys = new RemoteKeys({ uri: keyServer.uri, logger, nowMs: () => nowMs });
  t.after(() => keys.close());
  return {
    keyServer,
    keys,
    lines,
    passMs: (durationMs) => {
      nowMs += durationMs;
    },
    verify: (token) => refusalOf(() => verifySignature(token, ["ES256"], keys.lookUp)),
  };
}

const unknown = "ACCESS_TOKEN_INVALID: its key is not known";
const unavailable = "IDENTITY_UNAVAILABLE";
const setOf = (...keys: TestKey[]): { status: number; body: string } => ({
  status: 200,
  body: JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }),
});

test("keys are fetched once, by the first of many tokens at a time", async (t) => {
  const { keyServer, verify } = await rig(t, [old.jwk]);
  const results = await Promise.all([verify(oldToken), verify(oldToken), verify(oldToken)]);
  assert.deepEqual(results, ["taken", "taken", "taken"]);
  assert.equal(keyServer.hits, 1);
});

test("an unknown key id fetches them again, every 30 s at most", async (t) => {
  const { keyServer, verify, passMs } = await rig(t, [old.jwk]);
  await verify(oldToken);
  keyServer.answer = setOf(old, fresh);
  assert.equal(await verify(freshToken), unknown);
  passMs(29_999);
  assert.equal(await verify(freshToken), unknown);
  assert.equal(keyServer.hits, 1);
  passMs(1);
  assert.equal(await verify(freshToken), "taken");
  assert.equal(keyServer.hits, 2);
});

test("a withdrawn key is forgotten when old keys are fetched again; until then nobody waits", async (t) => {
  const { keyServer, verify, passMs } = await rig(t, [old.jwk]);
  await verify(oldToken);
  keyServer.answer = setOf(fresh);
  passMs(600_001);
  // Answered from the keys at hand, while the new ones are on their way.
  assert.equal(await verify(oldToken), "taken");
  assert.equal(await verify(freshToken), "taken");
  assert.equal(await verify(oldToken), unknown);
  assert.equal(keyServer.hits, 2);
});

test("a dead key server stops no token whose key is at hand, for a day", async (t) => {
  const { keyServer, verify, passMs, lines } = await rig(t, [old.jwk]);
  await verify(oldToken);
  keyServer.answer = { status: 500, body: "" };
  passMs(86_000_000);
  assert.equal(await verify(oldToken), "taken");
  assert.equal(await verify(freshToken), unavailable);
  assert.equal(await verify(oldToken), "taken");
  passMs(401_000);
  assert.equal(await verify(oldToken), unavailable);
  assert.match(lines.join(""), /the keys of a token issuer could not be fetched/);
});

const deadAnswers: [title: string, answer: KeyServer["answer"]][] = [
  ["a status of 500", { status: 500, body: "" }],
  ["a page in place of keys", { status: 200, body: "<html>" }],
  ["keys that are no list", { status: 200, body: '{"keys": {}}' }],
  ["a redirect", { status: 302, body: "", location: "http://127.0.0.1:1/" }],
  [
    "an answer larger than 262144 bytes",
    { status: 200, body: `{"keys": [], "x": "${"x".repeat(262_144)}"}` },
  ],
];

for (const [title, answer] of deadAnswers) {
  test(`${title} is IDENTITY_UNAVAILABLE; the next fetch comes a second later`, async (t) => {
    const { keyServer, verify, passMs } = await rig(t, []);
    keyServer.answer = answer;
    assert.equal(await verify(oldToken), unavailable);
    keyServer.answer = setOf(old);
    assert.equal(await verify(oldToken), unavailable);
    assert.equal(keyServer.hits, 1);
    passMs(1000);
    assert.equal(await verify(oldToken), "taken");
  });
}

test("closing ends a fetch that the key server never answers", async (t) => {
  const { keyServer, keys, verify } = await rig(t, []);
  keyServer.answer = "silence";
  const pending = verify(oldToken);
  keys.close();
  assert.equal(await pending, unavailable);
});

test("a private key in the set verifies nothing", async (t) => {
  const { keyServer, verify } = await rig(t, []);
  keyServer.answer = setOf({ ...old, jwk: { ...(await exportJWK(old.privateKey)), kid: "old" } });
  assert.equal(await verify(oldToken), "ACCESS_TOKEN_INVALID: its key cannot be used");
});
