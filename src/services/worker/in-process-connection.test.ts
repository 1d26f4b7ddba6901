// A worker in the server's own process and the children that its handlers start: through the whole server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../testing/eventually.ts";
import { request } from "../../testing/test-engine.ts";
import { startTestServer } from "../../testing/test-server.ts";
import { defineOperation } from "../../worker/worker.ts";

const waitLong = { timeoutMs: 60_000, onCallerGone(): void {} };

const half = defineOperation({ type: "test.half" }, async (_, { number }) => ({ half: Number(number) / 2 }));

const forever = defineOperation({ type: "test.forever" }, ({ signal }) => {
  return new Promise<never>((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
});

const family = defineOperation({ type: "test.family" }, async (context) => {
  const child = await context.start("test.half", { payload: { number: 6 } });
  return { child: child.name, result: await child.wait() };
});

const stuckFamily = defineOperation({ type: "test.stuck-family" }, async (context) => {
  const child = await context.start("test.forever");
  return await child.wait();
});

test("a handler starts a child, and waits for what it answers", async () => {
  await using server = await startTestServer({ operations: [half, family] });
  const { operation } = await server.engine.start(request({ type: "test.family", createdBy: "user:ada" }));
  const done = await server.engine.wait(operation.record, waitLong);
  assert.equal(done.record.state, "SUCCEEDED", JSON.stringify(done.record.outcome));
  assert.match(Buffer.from(done.response?.bytes ?? []).toString(), /half/);
  const [child] = await server.engine.children(operation.record, 10);
  assert.deepEqual([child?.type, child?.state], ["test.half", "SUCCEEDED"]);
  const { record } = await server.engine.get({ ...operation.record, name: child?.name ?? "" });
  assert.equal(record.createdBy, "user:ada");
});

test("the cancel of a parent stops its child, with the reason that it was the parent's", async () => {
  await using server = await startTestServer({ operations: [forever, stuckFamily] });
  const { operation } = await server.engine.start(request({ type: "test.stuck-family" }));
  const child = await eventually("the child runs", async () => {
    const [first] = await server.engine.children(operation.record, 10);
    return first?.state === "RUNNING" && first;
  });
  const call = { requestedBy: "user:ada", reason: "enough", origin: "test", graceMs: null };
  await server.engine.cancel({ key: operation.record, ...call });
  const done = await server.engine.wait(operation.record, waitLong);
  assert.equal(done.record.state, "CANCELLED");
  const { record } = await server.engine.get({ ...operation.record, name: child.name });
  assert.deepEqual(
    [record.state, record.cancel?.cause, record.cancel?.evidence],
    ["CANCELLED", "parent", "HANDLER_STOPPED"],
  );
});
