import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../testing/eventually.ts";
import { type FeedEnds, FeedPositions } from "./feed-positions.ts";

test("a position that is read while commits are under way counts only once they were handed out", async () => {
  const commits = { sent: 1, settled: 1 };
  const reached: (number | undefined)[] = [];
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<FeedEnds>();
  const read = (): Promise<FeedEnds> => {
    asked.resolve();
    return answer.promise;
  };
  const positions = new FeedPositions({ commits, read, reached: (ends) => reached.push(ends.get("")) });
  positions.settled();
  await asked.promise;
  commits.sent = 3; // two commits are durable, maybe, and their changes are on their way
  answer.resolve(new Map([["", 120]]));
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
  const reached: (number | undefined)[] = [];
  const commits = { sent: 5, settled: 5 };
  const read = (): Promise<FeedEnds> => Promise.resolve(new Map([["", 7]]));
  const positions = new FeedPositions({ commits, read, reached: (ends) => reached.push(ends.get("")) });
  positions.settled();
  await eventually("the position", () => reached.length === 1);
  assert.deepEqual(reached, [7]);
  positions.close();
});
