// How long a worker may trust its lease: from when it asked, never from when it was answered (G2).
import assert from "node:assert/strict";
import { test } from "node:test";
import { monotonicMs } from "../base/clock.ts";
import { eventually } from "../testing/eventually.ts";
import { RemoteLease } from "./remote-connection-lease.ts";

const LEASE_MS = 60_000;

function beginLease(): RemoteLease {
  const lease = new RemoteLease(() => {});
  lease.begin(LEASE_MS, monotonicMs());
  return lease;
}

async function untilLater(): Promise<void> {
  const fromMs = monotonicMs();
  await eventually("some time has passed", () => monotonicMs() > fromMs + 20);
}

test("an answer renews the lease from the time at which its heartbeat was sent", async (t) => {
  const lease = beginLease();
  t.after(() => lease.stop());
  await untilLater();
  const sequence = lease.beat();
  const sentMs = monotonicMs();
  await untilLater();
  assert.equal(lease.answered(sequence), true);
  assert.ok(lease.endMs <= sentMs + LEASE_MS, `${lease.endMs - sentMs - LEASE_MS} ms too long`);
  assert.ok(lease.endMs > sentMs + LEASE_MS - 20, "it was not renewed");
});

test("a session that was opened slowly has its lease from when it was asked for", async (t) => {
  const askedMs = monotonicMs();
  await untilLater();
  const lease = new RemoteLease(() => {});
  t.after(() => lease.stop());
  lease.begin(LEASE_MS, askedMs);
  assert.equal(lease.endMs, askedMs + LEASE_MS);
});

test("the answer to a heartbeat answers those before it, and none twice", (t) => {
  const lease = beginLease();
  t.after(() => lease.stop());
  const [first, second] = [lease.beat(), lease.beat()];
  assert.equal(lease.answered(second), true);
  assert.equal(lease.answered(first), false);
  assert.equal(lease.answered(second), false);
  assert.equal(lease.isUnansweredFor(0), false);
});

test("a new stream answers nothing of the old one", (t) => {
  const lease = beginLease();
  t.after(() => lease.stop());
  lease.beat();
  const late = lease.beat();
  lease.restart();
  assert.equal(lease.isUnansweredFor(0), false);
  assert.equal(lease.answered(late), false);
  assert.equal(lease.beat(), 1n);
});
