// The feed and the audit: written in the transaction of what they tell.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fencedBy, payload, type World } from "./store-harness.ts";

export function exerciseFeed(world: () => World): void {
  test("every visible change is one event, in commit order, with its revision", async () => {
    const w = world();
    const grant = await w.running();
    await w.run({ type: "progress", ...fencedBy(grant), progress: { percent: 40, message: "page 4" } });
    await w.run({ type: "progress", ...fencedBy(grant), progress: { percent: 40, message: "page 4" } });
    await w.run({ type: "checkpoint", ...fencedBy(grant), checkpoint: payload("c") });
    await w.run(w.complete(grant));
    await w.run(w.complete(grant));
    await w.run(w.delete(grant.record));
    const feed = await w.harness.feed(w.tenant);
    assert.deepEqual(
      feed.map(({ revision, state }) => [revision, state]),
      [
        [1, "PENDING"],
        [2, "RUNNING"],
        [3, "RUNNING"],
        [4, "RUNNING"],
        [5, "SUCCEEDED"],
        [6, "SUCCEEDED"],
      ],
    );
    const positions = feed.map(({ position }) => position);
    assert.deepEqual(
      positions,
      [...new Set(positions)].sort((a, b) => a - b),
    );
  });

  test("changes of one batch have one event each", async () => {
    const w = world();
    const start = w.start();
    await w.commit(start, w.cancel(start.key), w.delete(start.key));
    assert.deepEqual(
      (await w.harness.feed(w.tenant)).map(({ revision }) => revision),
      [1, 2, 3],
    );
  });

  test("each mutating call of a client leaves one line of audit; a refused or idle one leaves none", async () => {
    const w = world();
    const start = w.start();
    await w.commit(start, start);
    await w.commit(w.cancel(start.key, { reason: "why not" }), w.cancel(start.key));
    await w.commit(w.delete(start.key), w.delete(start.key));
    const by = { name: start.key.name, principal: "user:bob" };
    assert.deepEqual(await w.harness.audit(w.tenant), [
      {
        ...by,
        principal: "user:ada",
        action: "start",
        origin: "native/grpc",
        reason: "",
        revisionBefore: 0,
        revisionAfter: 1,
      },
      {
        ...by,
        action: "cancel",
        origin: "google/grpc",
        reason: "why not",
        revisionBefore: 1,
        revisionAfter: 2,
      },
      { ...by, action: "delete", origin: "google/rest", reason: "", revisionBefore: 2, revisionAfter: 3 },
    ]);
  });

  test("a command that broke its batch leaves neither event nor audit", async () => {
    const w = world();
    await w.commit(w.start(), w.start({ request: payload("x".repeat(400_000)) }));
    assert.equal((await w.harness.feed(w.tenant)).length, 1);
    assert.equal((await w.harness.audit(w.tenant)).length, 1);
  });
}
