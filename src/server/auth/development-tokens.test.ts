import assert from "node:assert/strict";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Principal } from "../../services/method.ts";
import {
  authConfig,
  keptLog,
  NOW_SECONDS,
  refusalOf,
  type SettableClock,
  settableClock,
  temporaryFolder,
} from "./auth.fixture.ts";
import { createAuthenticator } from "./authenticator.ts";
import { mintDevelopmentToken, openDevelopmentKey } from "./development-tokens.ts";
import type { Identity } from "./identity.ts";

const NOW = NOW_SECONDS * 1_000_000;
const ADA: Principal = { id: "user:ada", tenant: "acme", scopes: ["a", "b"], grants: ["projects/p"] };

function rig(t: TestContext): { folder: string; identity: Identity; clock: SettableClock } {
  const folder = join(temporaryFolder(t), "identity");
  const clock = settableClock();
  const options = { folder, logger: keptLog().logger, clock };
  const identity = createAuthenticator(authConfig({ development: true }), options);
  return { folder, identity, clock };
}

const mint = (folder: string, principal: Principal = ADA): Promise<string> =>
  mintDevelopmentToken(openDevelopmentKey(folder, NOW), principal, { now: NOW, lifetimeSeconds: 60 });
const call = (identity: Identity, token: string): unknown =>
  identity.authenticateHeader([`Bearer ${token}`], "google");

test("a token is its principal, of a key that was made after the server had started", async (t) => {
  const { folder, identity, clock } = rig(t);
  assert.deepEqual(await call(identity, await mint(folder)), ADA);
  const unlimited = { ...ADA, scopes: null, grants: null };
  assert.deepEqual(await call(identity, await mint(folder, unlimited)), unlimited);
  const nothing = { ...ADA, scopes: [], grants: [] };
  assert.deepEqual(await call(identity, await mint(folder, nothing)), nothing);
  const token = await mint(folder);
  clock.seconds += 90;
  assert.equal(await refusalOf(() => call(identity, token)), "ACCESS_TOKEN_EXPIRED");
});

test("the key is made once, for this user only; a key of another folder is not known", async (t) => {
  const { folder, identity } = rig(t);
  await mint(folder);
  const path = join(folder, "development-key.json");
  const text = readFileSync(path, "utf8");
  await mint(folder);
  assert.equal(readFileSync(path, "utf8"), text);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const foreign = await mint(join(temporaryFolder(t), "identity"));
  assert.equal(await refusalOf(() => call(identity, foreign)), "ACCESS_TOKEN_INVALID: its key is not known");
});

test("a key file that is something else is told by its path", (t) => {
  const { folder } = rig(t);
  openDevelopmentKey(folder, NOW);
  const path = join(folder, "development-key.json");
  for (const text of ["", "{}", '{"kid": "x", "createTime": "2026-01-01T00:00:00Z", "key": {}}']) {
    rmSync(path);
    writeFileSync(path, text, { mode: 0o600 });
    assert.throws(() => openDevelopmentKey(folder, NOW), /development-key\.json is no key; remove it/);
  }
});
