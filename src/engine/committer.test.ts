// In which order commands are committed, and what happens to them where the store does not take them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RpcError } from "../base/rpc-error.ts";
import { Committer } from "./committer.ts";
import type { Store } from "./store.ts";

test("a heartbeat goes before all that is waiting", async () => {
  const batches: string[][] = [];
  const gate = Promise.withResolvers<void>();
  const commit: Store["commit"] = async (commands) => {
    batches.push(commands.map(({ type }) => type));
    await gate.promise;
    return { outcomes: commands.map(() => ({ type: "session" }) as const), changed: [] };
  };
  const committer = new Committer(
    { commit },
    () => {},
    () => {},
  );
  const sent = [committer.submit({ type: "tickDue", limit: 1 })];
  await undefined; // it is being committed
  sent.push(committer.submit({ type: "sweepChildren", limit: 1 }));
  sent.push(committer.submit({ type: "heartbeat", session: "a" }));
  gate.resolve();
  await Promise.all(sent);
  assert.deepEqual(batches, [["tickDue"], ["heartbeat", "sweepChildren"]]);
});

test("a commit that fails is told to its callers, and counted by nobody", async () => {
  const counted: string[] = [];
  const committer = new Committer(
    { commit: () => Promise.reject(new RpcError("STORAGE_UNAVAILABLE")) },
    () => counted.push("changed"),
    () => counted.push("granted"),
    ({ commands }) => counted.push(...commands.map(({ type }) => type)),
  );
  const beats = ["a", "b"].map((session) => committer.submit({ type: "heartbeat", session }));
  for (const beat of beats) await assert.rejects(beat, { reason: "STORAGE_UNAVAILABLE" });
  assert.deepEqual(counted, []);
  assert.deepEqual([committer.count.sent, committer.count.settled], [1, 1]);
});
