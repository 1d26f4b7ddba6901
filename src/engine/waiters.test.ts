import assert from "node:assert/strict";
import { test } from "node:test";
import { Waiters, type WakeCause } from "./waiters.ts";

function wait(
  waiters: Waiters,
  key: string,
  timeoutMs = 60_000,
): { cause: Promise<WakeCause>; end: () => void } {
  const { promise, resolve } = Promise.withResolvers<WakeCause>();
  const waiter = waiters.add(key, timeoutMs, resolve);
  return { cause: promise, end: () => waiter.end("gone") };
}

test("wake ends every wait of one operation and none of another", async () => {
  const waiters = new Waiters();
  const first = wait(waiters, "a");
  const second = wait(waiters, "a");
  wait(waiters, "b").end();
  const other = wait(waiters, "b");
  waiters.wake("a");
  assert.equal(await first.cause, "done");
  assert.equal(await second.cause, "done");
  assert.equal(waiters.count, 1);
  other.end();
  assert.equal(await other.cause, "gone");
  assert.equal(waiters.count, 0);
});

test("a wait ends by its own timeout", async () => {
  const waiters = new Waiters();
  // The timer is unref'd: it may not keep a stopping server alive, so this test must.
  const keepAlive = setInterval(() => {}, 1000);
  assert.equal(await wait(waiters, "a", 5).cause, "timeout");
  clearInterval(keepAlive);
  assert.equal(waiters.count, 0);
});

test("waking more than a slice leaves the event loop free in between, and forgets nobody", async () => {
  const waiters = new Waiters();
  const causes = Array.from({ length: 1000 }, () => wait(waiters, "a").cause);
  let turns = 0;
  const turn = (): void => {
    turns++;
    if (waiters.count > 0) setImmediate(turn);
  };
  setImmediate(turn);
  waiters.wake("a");
  assert.ok(waiters.count > 0, "the first slice does not take all");
  assert.deepEqual(new Set(await Promise.all(causes)), new Set(["done"]));
  assert.ok(turns > 1, `other callbacks ran ${turns} times in between`);
});

test("releaseAll answers every wait at once, and each wait ends only once", async () => {
  const waiters = new Waiters();
  let calls = 0;
  const waiter = waiters.add("a", 60_000, () => calls++);
  waiters.releaseAll();
  waiters.wake("a");
  waiter.end("gone");
  assert.equal(calls, 1);
  assert.equal(waiters.count, 0);
});
