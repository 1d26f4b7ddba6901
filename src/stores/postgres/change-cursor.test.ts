import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { ChangeCursor } from "./change-cursor.ts";

test("own commits that follow one another need no read", () => {
  const cursor = new ChangeCursor(10);
  cursor.committed({ first: 11, last: 13 });
  cursor.committed({ first: 14, last: 14 });
  assert.equal(cursor.position, 14);
  assert.deepEqual(cursor.ownBeyond(), []);
});

test("an own commit beyond another node's is left out of the read, and passed by after it", () => {
  const cursor = new ChangeCursor(10);
  cursor.committed({ first: 13, last: 15 });
  assert.equal(cursor.position, 10);
  assert.deepEqual(cursor.ownBeyond(), [15]);
  assert.equal(cursor.isOwn({ first: 13, last: 15 }), true);
  cursor.advance(12);
  assert.equal(cursor.position, 15);
  assert.deepEqual(cursor.ownBeyond(), []);
});

test("a commit that was read before its answer came is no longer own", () => {
  const cursor = new ChangeCursor(10);
  cursor.advance(12);
  cursor.committed({ first: 11, last: 12 });
  assert.equal(cursor.position, 12);
  assert.deepEqual(cursor.ownBeyond(), []);
});

test("set back, it reads own commits, too", () => {
  const cursor = new ChangeCursor(10);
  cursor.committed({ first: 12, last: 12 });
  cursor.rewind(-5);
  assert.equal(cursor.position, 0);
  assert.deepEqual(cursor.ownBeyond(), []);
});

test("whatever the order of answers and reads, every batch of others is told and none is passed over", () => {
  const batch = fc.record({ isOwn: fc.boolean(), size: fc.integer({ min: 1, max: 3 }), delay: fc.nat(4) });
  fc.assert(
    fc.property(
      fc.array(batch, { maxLength: 30 }),
      fc.array(fc.nat(3), { maxLength: 60 }),
      (batches, reads) => {
        const cursor = new ChangeCursor(0);
        let end = 0;
        const feed = batches.map(({ isOwn, size, delay }) => {
          const range = { first: end + 1, last: end + size };
          end += size;
          return { ...range, isOwn, delay };
        });
        const told = new Set<number>();
        let visible = 0;
        const read = (): void => {
          const own = cursor.ownBeyond();
          const rows = feed
            .slice(0, visible)
            .filter(({ last }) => last > cursor.position && !own.includes(last));
          const reached = feed[visible - 1]?.last ?? 0;
          for (const row of rows) told.add(row.first);
          cursor.advance(reached);
        };
        for (const [index] of feed.entries()) {
          visible = index + 1;
          if ((reads[index] ?? 0) === 0) read();
          for (const [at, { isOwn, delay, first, last }] of feed.slice(0, visible).entries())
            if (isOwn && at + delay === index) cursor.committed({ first, last });
        }
        read();
        assert.ok(cursor.position >= end);
        for (const { isOwn, first } of feed) if (!isOwn) assert.ok(told.has(first), `batch at ${first}`);
      },
    ),
  );
});
