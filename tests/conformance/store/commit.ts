// Commits: order, atomicity, what they answer, what a breaking command does, sizes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { expectOutcome, expectRefused, fencedBy, keyOf, payload, type World } from "./store-harness.ts";

export function exerciseCommit(world: () => World): void {
  test("a start is stored with all that it was given", async () => {
    const w = world();
    const start = w.start({
      description: "a description",
      labels: { env: "prod", team: "ocr" },
      metadata: payload("metadata"),
      deadline: w.store.clock.now() + 60_000_000,
      parent: "projects/p/locations/l",
    });
    const { record } = expectOutcome(await w.run(start), "operation");
    assert.equal(record.state, "PENDING");
    assert.equal(record.revision, 1);
    const detail = await w.store.getOperationDetail(start.key);
    assert.deepEqual(detail, {
      record,
      response: null,
      metadata: start.metadata,
      request: start.request,
      checkpoint: null,
      labels: start.labels,
      attempts: [],
    });
  });

  test("an empty commit answers nothing and changes nothing", async () => {
    assert.deepEqual(await world().commit(), { outcomes: [], changed: [] });
  });

  test("commands are answered in order, and later ones see what earlier ones did", async () => {
    const w = world();
    const start = w.start();
    const { outcomes, changed } = await w.commit(start, w.cancel(start.key), w.cancel(start.key), start);
    assert.equal(expectOutcome(outcomes[0], "operation").record.state, "PENDING");
    assert.equal(expectOutcome(outcomes[1], "cancel").verdict, "PREVENTED_START");
    assert.equal(expectOutcome(outcomes[2], "cancel").verdict, "ALREADY_CANCELLED");
    expectRefused(outcomes[3], "ALREADY_EXISTS");
    assert.equal(changed.length, 1, "a changed operation is told once, as it now stands");
    assert.equal(changed[0]!.record.state, "CANCELLED");
    assert.deepEqual(await w.get(start.key), changed[0]);
  });

  test("a commit tells the response and the metadata of what it changed", async () => {
    const w = world();
    const grant = await w.running({ metadata: payload("metadata") });
    const { changed } = await w.commit(w.complete(grant, { response: payload("the response") }));
    assert.deepEqual(changed[0]?.response, payload("the response"));
    assert.deepEqual(changed[0]?.metadata, payload("metadata"));
    const { changed: deleted } = await w.commit(w.delete(grant.record));
    assert.deepEqual(deleted[0]?.response, payload("the response"));
    assert.deepEqual(deleted[0]?.metadata, payload("metadata"));
  });

  test("a command for a name that does not exist is refused and changes nothing", async () => {
    const w = world();
    const { outcomes, changed } = await w.commit(w.cancel(w.start().key), w.delete(w.start().key));
    for (const outcome of outcomes) expectRefused(outcome, "NOT_FOUND");
    assert.deepEqual(changed, []);
  });

  for (const breakingAt of [0, 3, 6]) {
    test(`a command that breaks its batch fails alone (at ${breakingAt} of 7)`, async () => {
      const w = world();
      const starts = Array.from({ length: 7 }, () => w.start());
      starts[breakingAt] = w.start({ request: payload("x".repeat(400_000)) });
      const { outcomes, changed } = await w.commit(...starts);
      for (const [index, outcome] of outcomes.entries()) {
        expectOutcome(outcome, index === breakingAt ? "failed" : "operation");
      }
      assert.equal(changed.length, 6);
      for (const [index, { key }] of starts.entries()) {
        assert.equal((await w.store.getOperation(key)) === undefined, index === breakingAt);
      }
    });
  }

  test("two commands that break their batch fail, the rest is committed", async () => {
    const w = world();
    const broken = (): ReturnType<World["start"]> => w.start({ request: payload("x".repeat(400_000)) });
    const { outcomes } = await w.commit(w.start(), broken(), w.start(), broken(), w.start());
    assert.deepEqual(
      outcomes.map(({ type }) => type),
      ["operation", "failed", "operation", "failed", "operation"],
    );
  });

  test("payloads up to their limit are stored, and larger ones are refused", async () => {
    const w = world();
    const text = "x".repeat(320_000);
    const grant = await w.running({ request: payload(text) });
    assert.deepEqual(grant.request, payload(text));
    const checkpoint = { type: "checkpoint", ...fencedBy(grant), checkpoint: payload(text) } as const;
    expectOutcome(await w.run(checkpoint), "operation");
    expectOutcome(await w.run(w.complete(grant, { response: payload(`${text}y`) })), "failed");
    expectOutcome(await w.run(w.complete(grant, { response: payload(text) })), "operation");
    const detail = await w.store.getOperationDetail(keyOf(grant.record));
    assert.equal(detail?.response?.bytes.length, 320_000);
    assert.equal(detail?.checkpoint?.bytes.length, 320_000);
  });

  test("the bytes of a payload are its view's, not its buffer's", async () => {
    const w = world();
    const whole = new TextEncoder().encode("before|the payload|after");
    const start = w.start({ request: { typeUrl: "t", bytes: whole.subarray(7, 18) } });
    await w.run(start);
    const detail = await w.store.getOperationDetail(start.key);
    assert.equal(new TextDecoder().decode(detail?.request?.bytes), "the payload");
  });

  test("an empty payload and texts of any script are kept as they are", async () => {
    const w = world();
    const description = "дзе 𝒳 \u0001 'quoted\" \\";
    const start = w.start({ request: { typeUrl: "", bytes: new Uint8Array() }, description });
    await w.run(start);
    const detail = await w.store.getOperationDetail(start.key);
    assert.equal(detail?.record.description, description);
    assert.deepEqual(detail?.request, { typeUrl: "", bytes: new Uint8Array() });
  });

  test("commits that are under way together are run one after the other", async () => {
    const w = world();
    const start = w.start();
    const results = await Promise.all([
      w.commit(start),
      w.commit(w.cancel(start.key)),
      w.commit(w.delete(start.key)),
    ]);
    assert.deepEqual(
      results.map(({ outcomes }) => outcomes[0]?.type),
      ["operation", "cancel", "operation"],
    );
    const { record } = await w.get(start.key);
    assert.equal(record.state, "CANCELLED");
    assert.notEqual(record.deleteTime, null);
  });

  test("what was acknowledged is there after the store was closed and opened", async () => {
    const w = world();
    const grant = await w.running({ labels: { a: "b" } });
    await w.run(w.complete(grant));
    const before = await w.store.getOperationDetail(keyOf(grant.record));
    await w.harness.reopen();
    assert.deepEqual(await w.store.getOperationDetail(keyOf(grant.record)), before);
  });

  test("the clock goes on from where it was after the store was opened again", async () => {
    const w = world();
    const { createTime } = await w.started();
    await w.harness.reopen();
    assert(w.store.clock.now() >= createTime);
  });
}
