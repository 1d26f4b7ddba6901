import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createLogger } from "../../base/logger.ts";
import { SqliteStore } from "../../stores/sqlite/sqlite-store.ts";
import { eventually } from "../../testing/eventually.ts";
import { Engine } from "../engine.ts";
import type { OperationPolicy } from "../operation.ts";
import { memoryKeys } from "./chain.fixture.ts";
import { chainFile, exportChain, wholeChain } from "./chain-export.ts";
import { ReceiptChainer } from "./receipt-chainer.ts";
import type { ReceiptKeys } from "./receipt-keys.ts";
import { type Verification, verifyChain } from "./verify-chain.ts";

const logger = createLogger("silent");
const policy: OperationPolicy = {
  cancel: { cancellable: true, graceMs: 60_000, criticalMs: 0, cleanupMs: 0, killMs: 100 },
  maxAttempts: 1,
  backoffMs: 10,
  backoffMaxMs: 10,
  attemptTimeoutMs: 60_000,
  stallTimeoutMs: 0,
  retentionMs: 60_000,
  onDelete: "keep",
  typeLimit: 0,
  keyLimit: 0,
  unwatchedMs: 0,
};

interface Setup {
  store: SqliteStore;
  engine: Engine;
  keys: ReceiptKeys;
  /** Starts operations of a tenant and cancels them: three events each. */
  cancelled(count: number, tenant?: string): Promise<string[]>;
  verify(tenant?: string): Promise<Verification>;
}

async function setUp(t: TestContext, { isChained = false } = {}): Promise<Setup> {
  const folder = mkdtempSync(join(tmpdir(), "belay-chain-"));
  const store = await SqliteStore.open(folder, { onFatal: (line) => assert.fail(line) });
  const keys = memoryKeys();
  const engine = new Engine({ store, logger, receiptKeys: isChained ? keys : null });
  engine.registerType("test.work", policy);
  t.after(async () => {
    await engine.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const cancelled = async (count: number, tenant = "default"): Promise<string[]> => {
    const call = {
      service: "default",
      tenant,
      idPrefix: "opr",
      parent: "",
      type: "test.work",
      origin: "test",
    };
    const plain = { description: "", labels: {}, request: null, metadata: null, deadline: null };
    const ids = { createdBy: "user:ada", requestId: "", requestDigest: "", method: "start" };
    const started = await Promise.all(
      Array.from({ length: count }, () => engine.start({ ...call, ...plain, ...ids })),
    );
    const records = started.map(({ operation }) => operation.record);
    const cancel = { requestedBy: "user:ada", reason: "wrong input", origin: "native/rest", graceMs: null };
    const more = { onBehalfOf: "user:bob", requestId: "req-7" };
    await Promise.all(records.map((key) => engine.cancel({ key, ...cancel, ...more })));
    return records.map(({ name }) => name);
  };
  const verify = (tenant = "default"): Promise<Verification> => {
    const chain = { service: "default", tenant };
    const page = (after: number) => exportChain(store, keys, { ...chain, after, limit: 7 });
    return verifyChain(chainFile({ ...chain, ...wholeChain }, page), { trustedKeys: [keys.signing().keyId] });
  };
  return { store, engine, keys, cancelled, verify };
}

test("every event of every receipt is chained, once, and the chain verifies over many pages", async (t) => {
  const { store, keys, cancelled, verify } = await setUp(t);
  const chainer = new ReceiptChainer({ store, keys, logger });
  const names = await cancelled(10);
  assert.equal(await chainer.chain(), 30);
  assert.equal(await chainer.chain(), 0);
  await cancelled(5);
  assert.equal(await chainer.chain(), 15);
  const result = await verify();
  assert.deepEqual(result.findings, []);
  assert.equal(result.entries, 45);
  assert.equal(result.signed.sequence, 45);
  const { entries } = await store.readChain({ service: "default", tenant: "default", after: 0, limit: 100 });
  assert.deepEqual([...new Set(entries.map(({ name }) => name))].slice(0, 10).sort(), [...names].sort());
});

test("an entry says who, for whom, why, from where, and how it ended; no principal stands in it", async (t) => {
  const { store, keys, cancelled } = await setUp(t);
  const [name] = await cancelled(1);
  await new ReceiptChainer({ store, keys, logger }).chain();
  const { entries } = await store.readChain({ service: "default", tenant: "default", after: 0, limit: 9 });
  const [requested, stopped, ended] = entries.map(({ content }) => JSON.parse(content));
  assert.ok(entries.every(({ content }) => !content.includes("user:")));
  const place = { v: 1, service: "default", tenant: "default", name, type: "test.work" };
  for (const [member, value] of Object.entries(place)) assert.deepEqual(requested[member], value);
  assert.equal(requested.kind, "REQUESTED");
  assert.equal(requested.principal, keys.principalHash("user:ada"));
  assert.equal(requested.onBehalfOf, keys.principalHash("user:bob"));
  assert.equal(requested.requestId, "req-7");
  assert.deepEqual(
    [requested.request.cause, requested.request.origin, requested.request.reason, requested.request.force],
    ["cancel", "native/rest", "wrong input", false],
  );
  assert.equal(stopped.kind, "STOPPED");
  assert.equal(ended.kind, "ENDED");
  assert.deepEqual(
    [ended.end.state, ended.end.evidence, ended.end.mechanism, ended.end.attempt, ended.end.childEvents],
    ["CANCELLED", "NEVER_STARTED", "NONE", 0, 0],
  );
  assert.equal(typeof ended.end.latencyMs, "number");
  assert.match(requested.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
});

test("each tenant has a chain of its own", async (t) => {
  const { store, keys, cancelled, verify } = await setUp(t);
  await cancelled(2, "acme");
  await cancelled(3, "other");
  await new ReceiptChainer({ store, keys, logger }).chain();
  assert.deepEqual([(await verify("acme")).entries, (await verify("other")).entries], [6, 9]);
  assert.equal((await verify("nobody")).entries, 0);
});

test("two processes that chain one store at once make one chain, without a gap or a fork", async (t) => {
  const { store, keys, cancelled, verify } = await setUp(t);
  const chainers = [0, 1, 2].map(() => new ReceiptChainer({ store, keys, logger }));
  let chained = 0;
  for (let round = 0; round < 5; round++) {
    await cancelled(8);
    const counts = await Promise.all(chainers.map((chainer) => chainer.chain()));
    chained += counts.reduce((sum, count) => sum + count, 0);
  }
  assert.equal(chained, 120);
  const result = await verify();
  assert.deepEqual(result.findings, []);
  assert.equal(result.entries, 120);
});

test("a chain goes on where an earlier life of the server left it", async (t) => {
  const { store, keys, cancelled, verify } = await setUp(t);
  for (let life = 0; life < 3; life++) {
    await cancelled(2);
    await new ReceiptChainer({ store, keys, logger }).chain();
  }
  const result = await verify();
  assert.deepEqual(result.findings, []);
  assert.equal(result.entries, 18);
});

test("a chain is signed once a minute at most, and when the server stops", async (t) => {
  const { store, keys, cancelled } = await setUp(t);
  const signed = async (): Promise<number[]> => {
    const chain = await store.readChain({ service: "default", tenant: "default", after: 0, limit: 1000 });
    return chain.checkpoints.map(({ sequence }) => sequence);
  };
  const chainer = new ReceiptChainer({ store, keys, logger });
  chainer.start();
  for (let round = 1; round <= 3; round++) {
    await cancelled(1);
    chainer.wake();
    await eventually("all is chained", async () => (await store.unchainedEvents(1)).length === 0);
  }
  assert.deepEqual(await signed(), [3]);
  await cancelled(1);
  await chainer.stop();
  assert.deepEqual(await signed(), [3, 12]);
  await chainer.stop();
  assert.deepEqual(await signed(), [3, 12]);
});

test("an export ends with a signature even where the newest entry was not signed yet", async (t) => {
  const { store, keys, cancelled } = await setUp(t);
  const chainer = new ReceiptChainer({ store, keys, logger });
  await cancelled(1);
  await chainer.chain();
  await cancelled(1);
  await chainer.chain();
  const query = { service: "default", tenant: "default", after: 0 };
  const whole = await exportChain(store, keys, { ...query, limit: 100 });
  assert.deepEqual(
    whole.checkpoints.map(({ sequence }) => sequence),
    [3, 6],
  );
  assert.equal(whole.nextAfter, 0);
  const first = await exportChain(store, keys, { ...query, limit: 5 });
  assert.equal(first.nextAfter, 5);
  assert.deepEqual(
    first.checkpoints.map(({ sequence }) => sequence),
    [3],
  );
  const exact = await exportChain(store, keys, { ...query, limit: 6 });
  assert.equal(exact.nextAfter, 0);
});

test("the engine chains what it commits, and its own stop signs the rest", async (t) => {
  const { store, engine, cancelled, verify } = await setUp(t, { isChained: true });
  engine.startMaintenance();
  await cancelled(4);
  await eventually("all is chained", async () => (await store.unchainedEvents(1)).length === 0);
  await cancelled(1);
  await engine.close();
  const result = await verify();
  assert.deepEqual([result.entries, result.signed.sequence, result.findings.length], [15, 15, 0]);
});
