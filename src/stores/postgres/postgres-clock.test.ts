import assert from "node:assert/strict";
import test from "node:test";
import { monotonicNs } from "../../base/clock.ts";
import { PostgresClock } from "./postgres-clock.ts";

const START = 1_795_000_000_000_000;
const HOUR_US = 3_600_000_000;

/** Says that the database's clock is `instant` now, with a round trip of so many microseconds. */
function sample(clock: PostgresClock, instant: number, roundTripUs = 100): void {
  const now = monotonicNs();
  const half = BigInt(roundTripUs / 2) * 1000n;
  clock.sampled(instant, now - half, now + half);
}

function isNear(instant: number, expected: number): boolean {
  return Math.abs(instant - expected) < 1_000_000;
}

test("the clock is the database's, whatever this machine's says", () => {
  const clock = new PostgresClock();
  sample(clock, START);
  assert(isNear(clock.now(), START));
});

test("of several looks the one with the shortest round trip counts", () => {
  const clock = new PostgresClock();
  sample(clock, START, 100);
  sample(clock, START + 400_000, 1_000_000);
  assert(Math.abs(clock.now() - START) < 200_000);
});

test("a database's clock that is set forward is followed", () => {
  const clock = new PostgresClock();
  sample(clock, START);
  sample(clock, START + HOUR_US);
  assert(isNear(clock.now(), START + HOUR_US));
});

test("a database's clock that is set back holds up no deadline: this one goes on", () => {
  const clock = new PostgresClock();
  sample(clock, START);
  const before = clock.now();
  for (let look = 0; look < 30; look++) sample(clock, START - HOUR_US);
  const after = clock.now();
  assert(after >= before, "an instant never goes back");
  assert(isNear(after, START));
});
