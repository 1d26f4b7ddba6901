// In which order commands are committed, and what happens to them where the store does not take them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RpcError } from "../base/rpc-error.ts";
import { policy } from "../testing/test-engine.ts";
import type { AcquireCommand, StartCommand } from "./commands.ts";
import { Committer } from "./committer.ts";
import { type StartRequest, startCommandOf } from "./start-command.ts";
import type { Store } from "./store.ts";

const acquire: AcquireCommand = {
  type: "acquire",
  session: "a",
  types: ["a.b"],
  limit: 1,
  guarded: true,
  begin: true,
};

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

test("an acquire goes behind the starts of its batch, and may be asked for by them", async () => {
  const batches: string[][] = [];
  const commit: Store["commit"] = (commands) => {
    batches.push(commands.map(({ type }) => type));
    return Promise.resolve({ outcomes: commands.map(() => ({ type: "session" }) as const), changed: [] });
  };
  const told: [string, number][][] = [];
  const committer = new Committer(
    { commit },
    () => {},
    () => {},
    () => {},
    {
      beforeStarts: (started) => {
        told.push([...started]);
        void committer.submit(acquire);
      },
    },
  );
  const request = { service: "s", tenant: "t", type: "a.b", parent: "", createdBy: "u", origin: "o" };
  const rest = { description: "", labels: {}, request: null, metadata: null, requestId: "", method: "" };
  const start = (changes: Partial<StartRequest>, limit = 0): StartCommand =>
    startCommandOf(
      { ...request, ...rest, idPrefix: "opr", requestDigest: "", deadline: null, ...changes },
      { ...policy, typeLimit: limit },
      0,
    );
  const sent = [acquire, start({}), start({ startDelayMs: 5 }), start({}), start({ type: "c.d" }, 1)];
  await Promise.all(sent.map((command) => committer.submit(command)));
  assert.deepEqual(batches, [["start", "start", "start", "start", "acquire", "acquire"]]);
  assert.deepEqual(told, [[["a.b", 2]]], "what is delayed or limited is found as any other work");
});

test("a large acquire and many commands are two batches, which the store may do at the same time; small ones are one", async () => {
  const batches: string[] = [];
  const commit: Store["commit"] = (commands) => {
    batches.push(`${commands.length} ${commands.at(-1)?.type}`);
    return Promise.resolve({ outcomes: commands.map(() => ({ type: "session" }) as const), changed: [] });
  };
  for (const [limit, count] of [
    [256, 200],
    [256, 2],
    [1, 200],
  ] as const) {
    const committer = new Committer(
      { commit },
      () => {},
      () => {},
    );
    const sent = Array.from({ length: count }, () => committer.submit({ type: "tickDue", limit: 1 }));
    await Promise.all([...sent, committer.submit({ ...acquire, limit })]);
  }
  assert.deepEqual(batches, ["1 acquire", "200 tickDue", "3 acquire", "201 acquire"]);
});

test("a large acquire does not wait for a commit that is under way", async () => {
  const gate = Promise.withResolvers<void>();
  const batches: string[] = [];
  const commit: Store["commit"] = async (commands) => {
    batches.push(commands.map(({ type }) => type).join());
    if (batches.length === 1) await gate.promise;
    return { outcomes: commands.map(() => ({ type: "session" }) as const), changed: [] };
  };
  const committer = new Committer(
    { commit },
    () => {},
    () => {},
  );
  const first = committer.submit({ type: "tickDue", limit: 1 });
  await undefined; // it is being committed
  await committer.submit({ ...acquire, limit: 256 });
  assert.deepEqual(batches, ["tickDue", "acquire"]);
  gate.resolve();
  await first;
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
