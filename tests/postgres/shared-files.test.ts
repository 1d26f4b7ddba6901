// The documents that all nodes of a database share: compare-and-set, and what is kept in them, identity and receipt keys.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { wallClockInstant } from "../../src/base/clock.ts";
import { createLogger } from "../../src/base/logger.ts";
import { RpcError } from "../../src/base/rpc-error.ts";
import { changeSharedFile } from "../../src/base/shared-files.ts";
import { openReceiptKeys } from "../../src/engine/receipts/receipt-keys.ts";
import { openSharedReceiptKeys } from "../../src/engine/receipts/shared-receipt-keys.ts";
import { openSharedIdentity } from "../../src/server/auth/authenticator.ts";
import { IAM_ISSUER, IamTokenAuthority } from "../../src/server/auth/iam-tokens.ts";
import { anonymous } from "../../src/server/server-call.ts";
import { PostgresStore } from "../../src/stores/postgres/postgres-store.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { sharedPostgres } from "./shared-postgres.ts";

/** The files of two nodes of one database. */
async function twoNodes(context: TestContext): Promise<[PostgresStore["files"], PostgresStore["files"]]> {
  const databases = await sharedPostgres();
  const database = await databases.createDatabase();
  const url = databases.url(database);
  const one = await PostgresStore.open(url, { listen: false, poolSize: 3 });
  const two = await PostgresStore.open(url, { listen: false, poolSize: 3 });
  context.after(async () => {
    await Promise.all([one.close(), two.close()]);
    await databases.dropDatabase(database);
  });
  return [one.files, two.files];
}

async function authorityOf(context: TestContext, files: PostgresStore["files"]): Promise<IamTokenAuthority> {
  const shared = await openSharedIdentity(files, createLogger("silent"));
  const clock = { now: wallClockInstant };
  const authority = new IamTokenAuthority({
    ...{ config: null, openTo: anonymous, accounts: new Map(), folder: null },
    ...{ shared, clock },
  });
  context.after(() => authority.close());
  return authority;
}

/** Who a node takes the token for; undefined for one that it refuses. */
async function subjectAt(authority: IamTokenAuthority, text: string): Promise<string | undefined> {
  try {
    return (await authority.verify({ text, issuer: IAM_ISSUER })).principal.id;
  } catch (error) {
    assert.ok(error instanceof RpcError && error.reason === "ACCESS_TOKEN_INVALID", String(error));
    return undefined;
  }
}

test("of writes of one revision one wins, and nobody's change is lost", async (context) => {
  const [one, two] = await twoNodes(context);
  assert.equal(await one.read("a/b"), undefined);
  const made = await Promise.all([one.write("a/b", "one", 0), two.write("a/b", "two", 0)]);
  assert.deepEqual(made.toSorted(), [false, true]);
  const add = (files: PostgresStore["files"], line: string): Promise<unknown> =>
    changeSharedFile(files, "a/lines", (text = "") => `${text}${line}\n`);
  const lines = Array.from({ length: 20 }, (_, index) => `line ${index}`);
  await Promise.all(lines.map((line, index) => add(index % 2 === 0 ? one : two, line)));
  const file = await two.read("a/lines");
  assert.deepEqual(file?.text.trim().split("\n").toSorted(), lines.toSorted());
  assert.equal(file?.revision, lines.length);
  assert.deepEqual(
    [...(await one.list("a/"))].map(([path]) => path),
    ["a/b", "a/lines"],
  );
  await one.remove("a/b");
  assert.equal(await two.read("a/b"), undefined);
});

test("an IAM token of one node is taken by the others, until one of them revokes it", async (context) => {
  const [one, two] = await twoNodes(context);
  const first = await authorityOf(context, one);
  const second = await authorityOf(context, two);
  const tokens = await Promise.all([first, second, first].map((node) => node.exchangeOauthToken("any")));
  for (const { token } of tokens) {
    for (const node of [first, second]) assert.equal(await subjectAt(node, token), "anonymous");
  }
  const [revoked, kept] = tokens;
  assert.ok(revoked && kept);
  await second.revoke(revoked.token);
  assert.equal(await subjectAt(second, revoked.token), undefined);
  await eventually("the others refuse it", async () => (await subjectAt(first, revoked.token)) === undefined);
  assert.equal(await subjectAt(first, kept.token), "anonymous");
  const third = await authorityOf(context, one);
  assert.equal(await subjectAt(third, revoked.token), undefined, "a node that starts later knows it, too");
});

test("receipts are signed and hashed with one key and one salt on all nodes", async (context) => {
  const [one, two] = await twoNodes(context);
  const folder = mkdtempSync(join(tmpdir(), "belay-keys-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const own = openReceiptKeys(join(folder, "one"));
  const { keyId } = own.signing();
  const hash = own.principalHash("user:ada");
  const [first, second] = [
    await openSharedReceiptKeys(one, join(folder, "one")),
    await openSharedReceiptKeys(two, join(folder, "two")),
  ];
  assert.equal(first.signing().keyId, keyId, "those of the store that it had before go on");
  assert.equal(second.signing().keyId, keyId);
  assert.equal(second.principalHash("user:ada"), hash);
  assert.deepEqual(second.publicKeys(), own.publicKeys());
});
