// The bound of what is reserved and not begun: whose time is over is taken back, again if need be; what has begun is not.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { key } from "../testing/test-engine.ts";
import { BEGIN_MS_MAX, ReservationWatch } from "./reservation-watch.ts";

/** A watch over time that the test moves. */
function watch(t: TestContext): { watch: ReservationWatch; taken: string[]; pass(ms: number): void } {
  const taken: string[] = [];
  let nowMs = 0;
  t.mock.method(performance, "now", () => nowMs);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const pass = (ms: number): void => {
    nowMs += ms;
    t.mock.timers.tick(ms);
  };
  return {
    watch: new ReservationWatch(({ key: { name }, token }) => taken.push(`${name}#${token}`)),
    taken,
    pass,
  };
}

test("what is not begun in its time is taken back, and once more if that came to nothing", (t) => {
  const { watch: reservations, taken, pass } = watch(t);
  reservations.add({ key: key("a"), token: 1 });
  pass(1000);
  reservations.add({ key: key("b"), token: 1 });
  pass(BEGIN_MS_MAX - 1001);
  assert.deepEqual(taken, []);
  pass(1);
  assert.deepEqual(taken, ["a#1"]);
  reservations.delete({ key: key("a"), token: 1 });
  pass(1000);
  assert.deepEqual(taken, ["a#1", "b#1"]);
  pass(BEGIN_MS_MAX);
  assert.deepEqual(taken, ["a#1", "b#1", "b#1"]);
  reservations.stop();
  pass(BEGIN_MS_MAX);
  assert.equal(taken.length, 3);
});

test("what has begun is left alone, and a newer grant of the same operation has its own time", (t) => {
  const { watch: reservations, taken, pass } = watch(t);
  reservations.add({ key: key("a"), token: 1 });
  reservations.add({ key: key("b"), token: 1 });
  pass(1000);
  reservations.delete({ key: key("b"), token: 1 });
  reservations.add({ key: key("a"), token: 2 });
  reservations.delete({ key: key("a"), token: 1 });
  pass(BEGIN_MS_MAX - 1);
  assert.deepEqual(taken, []);
  pass(1);
  assert.deepEqual(taken, ["a#2"]);
});
