// An overloaded server over real sockets: what was let in is kept, what was not says so and may come again, cancels always
// get through, and one tenant's flood is its own. No assertion depends on how fast the machine is.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { BelayError } from "../../../src/client/belay-error.ts";
import { type BelayClient, connect } from "../../../src/client/client.ts";
import type { StaticTokenConfig } from "../../../src/server/auth/auth-config.ts";
import { startTestServer, type TestServer } from "../../../src/testing/test-server.ts";
import { defineOperation } from "../../../src/worker/worker.ts";

const TYPE = "test.parked";
const FLOOD = 200;

function caller(token: string, tenant: string): StaticTokenConfig {
  const sha256 = createHash("sha256").update(token).digest("hex");
  return { sha256, principal: `user:${token}`, tenant, scopes: null, grants: null };
}

/** A server that lets in few calls of one tenant at a time. */
async function smallServer(): Promise<TestServer> {
  return await startTestServer({
    parked: [defineOperation({ type: TYPE }, async () => undefined)],
    limits: { callsInFlightMax: 16, callsPerTenantMax: 8, loopDelayMaxMs: 60_000 },
    auth: {
      issuers: [],
      serviceAccounts: [],
      staticTokens: [caller("flood", "acme"), caller("other", "globex")],
      iam: null,
      development: false,
    },
  });
}

interface Outcome {
  names: string[];
  refused: BelayError[];
}

/** Starts many at once; every failure must be a refusal that says when to come again. */
async function startMany(client: BelayClient, count: number): Promise<Outcome> {
  const outcome: Outcome = { names: [], refused: [] };
  const one = async (index: number): Promise<void> => {
    try {
      outcome.names.push((await client.start(TYPE, { payload: { index } })).name);
    } catch (error) {
      assert.ok(error instanceof BelayError);
      outcome.refused.push(error);
    }
  };
  await Promise.all(Array.from({ length: count }, (_, index) => one(index)));
  return outcome;
}

test("starts beyond the cap are refused with a reason and a delay; what was let in is kept, and can be cancelled at once", async () => {
  await using server = await smallServer();
  using client = connect(server.url, { token: "flood", overloadRetries: 0 });
  const { name: first } = await client.start(TYPE);
  const flood = startMany(client, FLOOD);
  // In the middle of the flood, on the same connection.
  const { verdict } = await client.cancel(first);
  const { names, refused } = await flood;
  assert.equal(verdict, "PREVENTED_START");
  assert.equal(names.length + refused.length, FLOOD);
  assert.ok(names.length >= 8, `${names.length} were let in`);
  assert.ok(refused.length > 0);
  for (const { code, reason } of refused) {
    assert.deepEqual([code, reason], ["RESOURCE_EXHAUSTED", "OVERLOADED"]);
  }
  for (const name of names) assert.equal((await client.get(name)).name, name);
  const metrics = await (
    await fetch(`${server.url}/metrics`, { headers: { authorization: "Bearer flood" } })
  ).text();
  assert.match(
    metrics,
    new RegExp(`belay_calls_shed_total\\{kind="start",limit="tenant"\\} ${refused.length}\\n`),
  );
  assert.match(metrics, /belay_overload_pressure\{limit="calls"\} 0\n/);
});

test("a long queue of commits refuses starts, with a delay; cancels and workers' reports go on", async () => {
  const handler = defineOperation({ type: "test.quick" }, async () => undefined);
  await using server = await startTestServer({
    operations: [handler],
    parked: [defineOperation({ type: TYPE }, async () => undefined)],
    limits: { commitsWaitingMax: 1, loopDelayMaxMs: 60_000 },
  });
  using client = connect(server.url, { overloadRetries: 0 });
  const { name: first } = await client.start(TYPE);
  const { name: quick } = await client.start("test.quick");
  const flood = startMany(client, FLOOD);
  assert.equal((await client.cancel(first)).verdict, "PREVENTED_START");
  const { names, refused } = await flood;
  assert.ok(names.length > 0 && refused.length > 0, `${names.length} let in, ${refused.length} refused`);
  for (const { reason, message } of refused) {
    assert.equal(reason, "OVERLOADED");
    assert.match(message, /commands waiting to be committed/);
  }
  assert.ok((await client.wait(quick, { timeoutMs: 10_000 })).done);
});

test("a tenant at its cap takes no start, get or cancel from another one", async () => {
  await using server = await smallServer();
  using loud = connect(server.url, { token: "flood", overloadRetries: 0 });
  using quiet = connect(server.url, { token: "other" });
  let isOver = false;
  const refusals: number[] = [];
  const flooding = (async () => {
    while (!isOver) refusals.push((await startMany(loud, FLOOD / 4)).refused.length);
  })();
  for (let round = 0; round < 5; round++) {
    const { name } = await quiet.start(TYPE, { payload: { round } });
    await quiet.get(name);
    assert.equal((await quiet.cancel(name)).verdict, "PREVENTED_START");
  }
  isOver = true;
  await flooding;
  assert.ok(refusals.some((count) => count > 0));
});

test("the client sends a refused start again when the server says so, or tells when it may be", async () => {
  await using server = await smallServer();
  using patient = connect(server.url, { token: "flood", callTimeoutMs: 60_000, overloadRetries: 50 });
  const { names, refused } = await startMany(patient, FLOOD / 4);
  assert.deepEqual([names.length, refused.length], [FLOOD / 4, 0]);
  assert.equal(new Set(names).size, FLOOD / 4);
  using hasty = connect(server.url, { token: "flood", overloadRetries: 0 });
  const flood = await startMany(hasty, FLOOD);
  assert.ok(flood.refused.length > 0);
  for (const { retryDelayMs = 0 } of flood.refused) assert.ok(retryDelayMs >= 500 && retryDelayMs <= 1000);
});
