// A worker under a lease: what it does when the lease is not renewed, when its session is lost, and afterwards. The worker
// is not guarded here, or this process would be what the watchdog ends (lease/lease-end.test.ts).
import assert from "node:assert/strict";
import { test } from "node:test";
import { isCausedBy, type OperationAborted } from "../base/abort-reasons.ts";
import { monotonicMs } from "../base/clock.ts";
import { RpcError } from "../base/rpc-error.ts";
import type { ReportOutcome, WorkerReport } from "../protocol/worker-connection.ts";
import { eventually } from "../testing/eventually.ts";
import { startTestWorker } from "../testing/test-worker.ts";
import { defineOperation, type OperationContext, type OperationDefinition } from "./worker.ts";

/** An operation that ends when the test says so; its contexts, in the order of the attempts. */
function held(): { definition: OperationDefinition; contexts: OperationContext[]; end(index: number): void } {
  const contexts: OperationContext[] = [];
  const ends: PromiseWithResolvers<{ late: boolean }>[] = [];
  const definition = defineOperation({ type: "held", killMs: 100 }, (context) => {
    contexts.push(context);
    const end = Promise.withResolvers<{ late: boolean }>();
    ends.push(end);
    return end.promise;
  });
  return { definition, contexts, end: (index) => ends[index]?.resolve({ late: true }) };
}

const obedient = defineOperation({ type: "obedient", killMs: 100 }, ({ signal }) => {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
});

const unguarded = { guarded: false };

test("a session tells how its types run, and that no watchdog guards it", async (t) => {
  const { definition } = held();
  const { connection } = await startTestWorker(t, [definition], { leaseMs: 60_000, ...unguarded });
  assert.equal(connection.hello?.guarded, false);
  assert.equal(connection.hello?.policies?.["held"]?.cancel.killMs, 100);
});

test("with its watchdog a worker is guarded", async (t) => {
  const { connection } = await startTestWorker(t, [obedient], { leaseMs: 60_000 });
  assert.equal(connection.hello?.guarded, true);
});

test("work is aborted in time before a lease that is not renewed ends, and goes back", async (t) => {
  const { connection } = await startTestWorker(t, [obedient], { leaseMs: 600, ...unguarded });
  const assignment = connection.assign("obedient");
  const end = await connection.endOf(assignment);
  assert.equal(end.type, "release");
  assert.ok(monotonicMs() < connection.leaseEndMs, "it was too late");
});

test("a lease that is renewed lets the work go on", async (t) => {
  const { definition, contexts, end } = held();
  const { connection } = await startTestWorker(t, [definition], { leaseMs: 300, ...unguarded });
  connection.assign("held");
  const untilMs = monotonicMs() + 900;
  await eventually("three leases have passed", () => {
    connection.renewLease(300);
    return monotonicMs() > untilMs;
  });
  assert.equal(contexts[0]?.signal.aborted, false);
  end(0);
});

test("an assignment that comes after the lease has passed is not begun", async (t) => {
  const { definition, contexts, end } = held();
  const { connection } = await startTestWorker(t, [definition], { leaseMs: 50, ...unguarded });
  await eventually("the lease has passed", () => monotonicMs() > connection.leaseEndMs);
  const late = connection.assign("held");
  connection.renewLease(60_000);
  connection.assign("held");
  await eventually("the second one runs", () => contexts.length > 0);
  assert.equal(contexts[0]?.name, "operations/2");
  assert.equal((await connection.endOf(late)).type, "release");
  end(0);
});

test("a checkpoint that the server cannot answer fails when the lease is lost, as the abort that it is", async (t) => {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const storing = defineOperation({ type: "storing" }, async (context) => {
    await context.checkpoint({ page: 7 }).catch((error: unknown) => {
      resolve(isCausedBy(error, context.signal.reason) && context.signal.reason);
      throw error;
    });
    return undefined;
  });
  const { connection } = await startTestWorker(t, [storing], { leaseMs: 300, ...unguarded });
  const never = new Promise<ReportOutcome>(() => {});
  connection.answer = ({ type }) => (type === "checkpoint" ? never : "accepted");
  connection.assign("storing", {}, { killMs: 250 });
  assert.equal(((await promise) as OperationAborted).kind, "lease-lost");
});

test("a lost session aborts everything, drops late results, and is followed by a new one", async (t) => {
  const { definition, contexts, end } = held();
  const { connection } = await startTestWorker(t, [definition], { leaseMs: 60_000, ...unguarded });
  const lost = connection.assign("held");
  await eventually("it runs", () => contexts.length === 1);
  connection.loseSession("expired");
  const reason = contexts[0]?.signal.reason as OperationAborted;
  assert.equal(reason.kind, "lease-lost");
  connection.answer = (report: WorkerReport) => {
    // As the server answers what is no session's any more.
    if (report.attempt.leaseToken === lost.leaseToken) throw new RpcError("LEASE_LOST");
    return "accepted";
  };
  assert.equal(connection.opened, 1); // the old work may still run
  end(0);
  await eventually("a new session", () => connection.opened === 2);
  assert.equal(connection.hasEnded(lost), false);
  const next = connection.assign("held");
  await eventually("it runs", () => contexts.length === 2);
  end(1);
  assert.equal((await connection.endOf(next)).type, "complete");
  assert.equal(connection.slotsFreed, 1);
});

test("what cannot be stopped keeps a worker without a watchdog from a new session", async (t) => {
  const { definition, contexts, end } = held();
  const { connection, worker } = await startTestWorker(t, [definition], { leaseMs: 60_000, ...unguarded });
  connection.assign("held", {}, { killMs: 100 });
  await eventually("it runs", () => contexts.length === 1);
  connection.loseSession("unknown");
  await worker.drain(50); // a worker that leaves opens none either
  end(0);
  await worker.close();
  assert.equal(connection.opened, 1);
  assert.equal(connection.isClosed, false); // there is no session to close
});

test("a server that drains gets no new work from the worker's side, and what runs goes on", async (t) => {
  const { definition, contexts, end } = held();
  const { connection } = await startTestWorker(t, [definition], { leaseMs: 60_000, ...unguarded });
  const assignment = connection.assign("held");
  await eventually("it runs", () => contexts.length === 1);
  connection.requestDrain();
  assert.equal(connection.isDraining, true);
  assert.equal(contexts[0]?.signal.aborted, false);
  end(0);
  assert.equal((await connection.endOf(assignment)).type, "complete");
});
