// The store's clock: which instant a process begins with, whatever the wall clock does between processes.
import assert from "node:assert/strict";
import test from "node:test";
import {
  type BootClocks,
  clockOf,
  instantNow,
  isSameBoot,
  readBootClocks,
  SharedClock,
  type StoredClock,
} from "./store-clock.ts";

const HOUR = 3_600_000_000;
const WALL = 1_795_000_000_000_000;

/** Anchored 10 s after the boot; used for an hour. */
const stored: StoredClock = {
  bootId: "boot-1",
  boottime: 10_000_000,
  monotonic: 10_000_000,
  wall: WALL,
  lastInstant: WALL + HOUR,
};

function later(elapsed: number, changes: Partial<BootClocks> = {}): BootClocks {
  return { bootId: "boot-1", boottime: 10_000_000 + elapsed, monotonic: 10_000_000 + elapsed, ...changes };
}

const cases: readonly [title: string, boot: BootClocks, wall: number, now: number][] = [
  ["the same boot counts on, wall clock in step", later(2 * HOUR), WALL + 2 * HOUR, WALL + 2 * HOUR],
  ["the same boot counts on, wall clock an hour ahead", later(2 * HOUR), WALL + 3 * HOUR, WALL + 2 * HOUR],
  ["the same boot counts on, wall clock an hour behind", later(2 * HOUR), WALL + HOUR, WALL + 2 * HOUR],
  ["another boot takes the wall clock", later(5, { bootId: "boot-2" }), WALL + 9 * HOUR, WALL + 9 * HOUR],
  // A dead RTC battery: the clock of a new boot starts in 1970.
  ["another boot never begins before what is stored", later(5, { bootId: "boot-2" }), 0, WALL + HOUR + 1],
  ["the same boot never begins before what is stored", later(HOUR / 2), WALL, WALL + HOUR + 1],
  // A suspend: boot time goes on, the monotonic clock stands.
  ["time asleep counts", later(0, { boottime: 10_000_000 + 5 * HOUR }), WALL, WALL + 5 * HOUR],
  // A restarted container: its uptime is 3 h younger than the host's monotonic clock.
  [
    "an uptime that began anew does not count",
    later(5 * HOUR, { boottime: 10_000_000 + 2 * HOUR }),
    WALL + 6 * HOUR,
    WALL + 6 * HOUR,
  ],
  ["an uptime that went back does not count", later(0, { boottime: 1 }), WALL + 6 * HOUR, WALL + 6 * HOUR],
  [
    "without a boot id the wall clock counts",
    later(2 * HOUR, { bootId: "" }),
    WALL + 6 * HOUR,
    WALL + 6 * HOUR,
  ],
];

for (const [title, boot, wall, now] of cases) {
  test(title, () => assert.equal(instantNow(stored, boot, wall), now));
}

test("a database without an anchor takes the wall clock", () => {
  const empty: StoredClock = { bootId: "", boottime: 0, monotonic: 0, wall: 0, lastInstant: 0 };
  assert.equal(instantNow(empty, { ...later(0), bootId: "" }, WALL), WALL);
});

test("this machine's boot is its own, a moment later too", { skip: process.platform !== "linux" }, () => {
  const first = readBootClocks();
  assert.notEqual(first.bootId, "");
  assert(isSameBoot({ ...first, wall: WALL, lastInstant: 0 }, readBootClocks()));
});

test("a shared clock is the same in every thread and stands still", () => {
  const clock = new SharedClock(WALL);
  const other = clockOf({ kind: "shared", buffer: clock.buffer });
  clock.advance(5);
  assert.equal(other.now(), WALL + 5000);
  assert.equal(other.now(), WALL + 5000);
});
