// What happens to everything that a lost worker held: killed with SIGKILL, guarded and not, and stopped past its lease. Told
// once (lost-worker.long.test.ts).
import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { suite, type TestContext, test } from "node:test";
import { eventually } from "../../src/testing/eventually.ts";
import { FaultWorld } from "./fault-world.ts";
import { type HeldOperations, holdOperations, whenTold } from "./held-operations.ts";
import { isAlive, isStopped, stateName } from "./outside.ts";
import { readTraces, tracesOf } from "./traces.ts";

export interface LostWorkerNumbers {
  operations: number;
  leaseMs: number;
}

/** Everything about a lost worker is settled this long after its lease at the latest. */
const SETTLED_MS = 2000;

/** What was killed with the lease takes a moment to go, on a busy machine. */
const GONE_MS = 300;

/** It has ended, or waits for another attempt. */
const isSettled = (state: string): boolean => state !== "RUNNING" && state !== "CANCELLING";

/** With `concurrency` above 1 the stories, which wait for leases most of the time, are told side by side. */
export function testLostWorkers(numbers: LostWorkerNumbers, concurrency: number): void {
  const { operations, leaseMs } = numbers;
  suite(`a worker with ${operations} operations and ${operations / 2} pending cancels`, {
    concurrency,
  }, () => {
    test("guarded, kill -9: all is settled in time, with evidence, none twice", (t) =>
      killGuarded(t, numbers));
    test("unguarded, kill -9: nobody claims to know, and all stays held", (t) => killUnguarded(t, numbers));
    test("guarded, stopped past its lease: its commands go, and it dies when it goes on", (t) =>
      stopGuarded(t, numbers));
    test("unguarded, stopped past its lease and continued: its results are refused", (t) =>
      stopUnguarded(t, leaseMs));
  });
}

async function killGuarded(t: TestContext, { operations, leaseMs }: LostWorkerNumbers): Promise<void> {
  await using world = await FaultWorld.start();
  const first = await world.worker("first", { slots: operations, leaseMs });
  const held = await holdOperations(world, operations);
  await world.worker("second", { slots: operations, leaseMs });
  const pids = world.commandPids;
  assert.ok(pids.length >= operations / 2 && pids.every(isAlive), "commands and their children run");

  const settled = whenTold(world.client, held.all, isSettled);
  const killedMs = performance.now();
  first.kill("SIGKILL");
  await first.exited;
  await eventually("no process of its handlers is left", () => !pids.some(isAlive), { timeoutMs: leaseMs });
  const goneMs = performance.now() - killedMs;
  const lastMs = Math.max(...(await settled).values()) - killedMs;
  t.diagnostic(
    `${pids.length} processes gone after ${goneMs.toFixed(0)} ms, all settled after ${lastMs.toFixed(0)} ms`,
  );
  assert.ok(lastMs <= leaseMs + SETTLED_MS, `the last one was settled after ${lastMs} ms`);
  await Promise.all(held.retried.map((name) => world.client.operation(name).result()));
  await assertCancelledByLease(world, held);
  const ended = await world.operations(held.all);
  for (const name of held.aborted) {
    const { result, attempts, cancellation } = ended.get(name) ?? assert.fail(name);
    assert.equal(result.case === "error" && result.value.code, 10, "ABORTED");
    assert.equal(attempts.length, 1);
    assert.equal(cancellation, undefined);
  }
  for (const name of held.retried) {
    const operation = ended.get(name) ?? assert.fail(name);
    assert.equal(stateName(operation.state), "SUCCEEDED");
    assert.deepEqual(
      operation.attempts.map(({ outcome }) => outcome),
      ["LEASE_EXPIRED", "SUCCEEDED"],
    );
  }
  assertBegins(world, held);
}

/** CANCELLED, by the evidence of the lease, of which the receipt tells. */
async function assertCancelledByLease({ client }: FaultWorld, held: HeldOperations): Promise<void> {
  for (const name of held.cancelled) {
    const { state, cancellation, attempt } = await client.get(name);
    assert.equal(stateName(state), "CANCELLED", name);
    assert.equal(cancellation?.evidence, "LEASE_EXPIRED");
    assert.equal(attempt, 1);
    const receipt = await client.receipt(name);
    assert.equal(receipt.outcome, "CANCELLED");
    assert.equal(receipt.reason, "the worker will be lost");
    assert.equal(receipt.events.at(-1)?.kind, "ENDED");
  }
}

/** Every attempt began once, the second one on the other worker, and only where there was to be a second one. */
function assertBegins({ traces }: FaultWorld, held: HeldOperations): void {
  const begun = readTraces(traces);
  for (const name of held.all) {
    const attempts = tracesOf(begun, name);
    const workers = held.retried.includes(name) ? ["first", "second"] : ["first"];
    assert.deepEqual(
      attempts.map(({ worker }) => worker),
      workers,
      name,
    );
    for (const { begins } of attempts) assert.equal(begins, 1, `${name} began twice in one attempt`);
    const [one, two] = attempts;
    if (one && two) assert.ok(one.lastMs <= two.beginMs, `the attempts of ${name} overlap`);
  }
}

async function killUnguarded(t: TestContext, { operations, leaseMs }: LostWorkerNumbers): Promise<void> {
  await using world = await FaultWorld.start();
  const { client } = world;
  const first = await world.worker("first", { slots: operations, leaseMs, guarded: false });
  const alone = { concurrencyKey: "alone", keyLimit: 1 };
  const payload = { ms: 60_000, deaf: true };
  const keyed = await client.start("trace.inline", { payload, graceMs: 60_000, ...alone });
  await world.begun(1);
  const held = await holdOperations(world, operations - 1, 1);
  await client.cancel(keyed.name, { reason: "the worker will be lost" });
  held.cancelled.push(keyed.name);
  await world.worker("second", { slots: operations, leaseMs });
  const waiting = await client.start("trace.inline", { payload: { ms: 0 }, ...alone });

  const settled = whenTold(client, [...held.all, keyed.name], isSettled);
  const killedMs = performance.now();
  first.kill("SIGKILL");
  await first.exited;
  const lastMs = Math.max(...(await settled).values()) - killedMs;
  t.diagnostic(`the last one was settled after ${lastMs.toFixed(0)} ms`);
  assert.ok(lastMs <= leaseMs + SETTLED_MS, `the last one was settled after ${lastMs} ms`);

  const settledAs = await world.operations([...held.all, keyed.name]);
  for (const [name, operation] of settledAs) {
    const message = operation.result.case === "error" ? operation.result.value.message : "";
    const state = stateName(operation.state);
    if (held.cancelled.includes(name)) {
      assert.equal(state, "FAILED");
      assert.match(message, /^STOP_UNCONFIRMED/);
      assert.equal(operation.cancellation?.evidence, "");
      assert.ok(operation.held, `${name} is held`);
    } else if (held.aborted.includes(name)) {
      assert.equal(state, "FAILED");
      assert.match(message, /worker lost/);
    } else {
      assert.equal(state, "PENDING");
      assert.ok(operation.held, `${name} is held`);
    }
  }
  assert.equal(stateName((await waiting.get()).state), "PENDING", "its key is held");
  assert.match((await waiting.explain()).reasons.map(({ code }) => code).join(), /KEY/);
  await releaseAll(world, [...held.cancelled, ...held.retried]);
  assert.deepEqual(await waiting.result(), { by: "second" });
  await Promise.all(held.retried.map((name) => client.operation(name).result()));
  assertBegins(world, held);
}

/** An operator says that the work is gone. */
async function releaseAll({ client }: FaultWorld, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const { held } = await client.releaseHeld(name, { reason: "the machine was looked at" });
    assert.equal(held, false);
    const { cancellation } = await client.get(name);
    if (cancellation) {
      assert.ok(cancellation.stopConfirmedTime);
      assert.equal((await client.receipt(name)).events.at(-1)?.kind, "OVERRIDDEN");
    }
  }
}

async function stopGuarded(t: TestContext, { operations, leaseMs }: LostWorkerNumbers): Promise<void> {
  await using world = await FaultWorld.start();
  const first = await world.worker("first", { slots: operations, leaseMs });
  const held = await holdOperations(world, operations);
  await world.worker("second", { slots: operations, leaseMs });
  const pids = world.commandPids;

  const settled = whenTold(world.client, held.all, isSettled);
  const stoppedMs = performance.now();
  first.kill("SIGSTOP");
  await eventually("its commands are gone", () => !pids.some(isAlive), { timeoutMs: leaseMs + SETTLED_MS });
  const goneMs = performance.now() - stoppedMs;
  assert.ok(isStopped(first.pid), "it is stopped all the while");
  const lastMs = Math.max(...(await settled).values()) - stoppedMs;
  t.diagnostic(
    `commands gone after ${goneMs.toFixed(0)} ms, all settled after ${lastMs.toFixed(0)} ms, lease ${leaseMs} ms`,
  );
  assert.ok(goneMs <= leaseMs + GONE_MS, `its commands were gone after ${goneMs} ms`);
  assert.ok(lastMs <= leaseMs + SETTLED_MS, `the last one was settled after ${lastMs} ms`);
  await Promise.all(held.retried.map((name) => world.client.operation(name).result()));
  await assertCancelledByLease(world, held);

  const before = await world.operations(held.all);
  const beats = beatsOf(world, "first");
  first.kill("SIGCONT");
  const { signal } = await first.exited;
  assert.equal(signal, "SIGKILL");
  assert.ok(!first.output.includes("fatal"), first.output);
  const beatsLater = beatsOf(world, "first") - beats;
  assert.ok(beatsLater <= operations, `${beatsLater} beats after its lease`);
  t.diagnostic(`${beatsLater} beats between SIGCONT and its end`);
  await (await world.client.start("trace.inline")).result(); // whatever it may have said is dealt with
  const after = await world.operations(held.all);
  for (const name of held.all) assert.equal(after.get(name)?.etag, before.get(name)?.etag, name);
}

function beatsOf({ traces }: FaultWorld, worker: string): number {
  return readTraces(traces).reduce((sum, each) => sum + (each.worker === worker ? each.beats : 0), 0);
}

/** Nothing ends this one: it goes on after its lease, finishes its work, and reports it. */
async function stopUnguarded(t: TestContext, leaseMs: number): Promise<void> {
  await using world = await FaultWorld.start();
  const { client } = world;
  const first = await world.worker("first", { slots: 4, leaseMs, guarded: false });
  const gate = join(world.folder, "gate");
  const payload = { gate, deaf: true, beatMs: 10 };
  const [retried, cancelled] = [
    await client.start("trace.inline", { payload, maxAttempts: 2, backoffMs: 0 }),
    await client.start("trace.inline", { payload, graceMs: 60_000 }),
  ];
  await world.begun(2);
  await cancelled.cancel({ reason: "stopped" });
  await world.worker("second", { slots: 4, leaseMs });
  appendFileSync(`${gate}-second`, "");
  first.kill("SIGSTOP");
  await eventually("its lease is over", async () => (await cancelled.get()).done);
  await client.releaseHeld(retried.name, { reason: "it is believed to be gone, and is not" });
  assert.deepEqual(await retried.result(), { by: "second" });

  const before = await world.operations([retried.name, cancelled.name]);
  appendFileSync(`${gate}-first`, "");
  first.kill("SIGCONT");
  const finished = await eventually("the first finishes both, too late", () => {
    const traces = readTraces(world.traces).filter(({ worker, end }) => worker === "first" && end === "done");
    return traces.length === 2 && traces;
  });
  t.diagnostic(`it finished ${finished.length} operations that were not its own any more`);
  await eventually("it has a new session", async () => {
    const workers = await client.workers();
    return workers.some(({ worker, running, held }) => worker === "first" && running + held === 0);
  });
  assert.deepEqual(await retried.result(), { by: "second" });
  const after = await world.operations([retried.name, cancelled.name]);
  assert.equal(after.get(retried.name)?.etag, before.get(retried.name)?.etag);
  const late = after.get(cancelled.name);
  assert.equal(stateName(late?.state ?? 0), "FAILED", "what it said of a lost lease does not count");
}
