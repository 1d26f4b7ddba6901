// When a session asks for work, and for how much of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionAcquires } from "./session-acquires.ts";

/** A session with so many slots whose acquires are answered by the test. */
class Asker {
  readonly asked: number[] = [];
  readonly acquires: SessionAcquires;
  #answer: ((granted: number) => void) | undefined;

  constructor(slots: number) {
    this.acquires = new SessionAcquires({
      slots,
      mayTake: () => true,
      acquire: (limit) => {
        this.asked.push(limit);
        return new Promise((resolve) => (this.#answer = resolve));
      },
    });
  }

  /** Answers the acquire under way, and lets what follows from it happen. */
  async grant(count: number): Promise<void> {
    this.acquires.granted(count);
    this.#answer?.(count);
    await new Promise(setImmediate);
  }
}

test("the slots that are freed in one go are asked for with one acquire", async () => {
  const asker = new Asker(10);
  asker.acquires.workMayBeReady();
  await asker.grant(10);
  for (let count = 0; count < 7; count++) asker.acquires.freed(1);
  await new Promise(setImmediate);
  assert.deepEqual(asker.asked, [10, 7]);
});

test("many slots are filled in parts, one acquire at a time, for as long as there is work", async () => {
  const asker = new Asker(1000);
  asker.acquires.workMayBeReady();
  assert.deepEqual(asker.asked, [256]);
  for (const granted of [256, 256, 256, 232]) await asker.grant(granted);
  assert.deepEqual(asker.asked, [256, 256, 256, 232]);
  assert.equal(asker.acquires.free, 0);
});

test("after an acquire that got less than it asked for nothing is asked until there is news of work", async () => {
  const asker = new Asker(300);
  asker.acquires.workMayBeReady();
  await asker.grant(3);
  asker.acquires.freed(1);
  await new Promise(setImmediate);
  assert.deepEqual(asker.asked, [256]);
  asker.acquires.workMayBeReady();
  assert.deepEqual(asker.asked, [256, 256]);
});
