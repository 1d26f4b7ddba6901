import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../testing/eventually.ts";
import { FeedPositions } from "./feed-positions.ts";

test("a position that is read while commits are under way counts only once they were handed out", async () => {
  const commits = { sent: 1, settled: 1 };
  const reached: number[] = [];
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<number>();
  const read = (): Promise<number> => {
    asked.resolve();
    return answer.promise;
  };
  const positions = new FeedPositions({ commits, read, reached: (position) => reached.push(position) });
  positions.settled();
  await asked.promise;
  commits.sent = 3; // two commits are durable, maybe, and their changes are on their way
  answer.resolve(120);
  await answer.promise;
  commits.settled = 2;
  positions.settled();
  assert.deepEqual(reached, []);
  commits.settled = 3;
  positions.settled();
  assert.deepEqual(reached, [120]);
  positions.close();
});

test("with nothing under way a position counts at once", async () => {
  const reached: number[] = [];
  const commits = { sent: 5, settled: 5 };
  const read = (): Promise<number> => Promise.resolve(7);
  const positions = new FeedPositions({ commits, read, reached: (position) => reached.push(position) });
  positions.settled();
  await eventually("the position", () => reached.length === 1);
  assert.deepEqual(reached, [7]);
  positions.close();
});
