// Complaints of those who wait: clients that tell something else than what happened, polls without end, lists and results
// that are not there when they are needed.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as gax from "google-gax";
import { OperationCancelled, OperationHandle, State } from "../../src/client/client.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { BelayProcess, belayCommand } from "../cli/belay-process.ts";
import { Library, untilCancelled } from "./library.ts";

const library = await Library.open();
const { client } = library;

test("somebody else cancels it, and the waiting client resolves with nothing", async () => {
  const { operation } = await library.running("page.read");
  const waiting = assert.rejects(operation.result(), (error) => {
    assert.ok(error instanceof OperationCancelled);
    assert.match(error.message, /by hand/);
    return true;
  });
  await library.cli("cancel", operation.name, "--reason", "by hand");
  await waiting;
});

test("somebody else cancels it, and a client of another make is not told so", async () => {
  process.env["METADATA_SERVER_DETECTION"] = "none";
  const sslCreds = gax.grpc.credentials.createInsecure();
  const options = { servicePath: "127.0.0.1", port: library.port, sslCreds };
  const google = gax.lro({} as never).operationsClient(options as never);
  const { operation } = await library.running("page.read");
  const get = async (): Promise<{ done: boolean; error?: { code: number; message: string } | null }> => {
    const [seen] = await google.getOperation({ name: operation.name } as never);
    return seen as never;
  };
  assert.equal((await get()).done, false);
  await google.cancelOperation({ name: operation.name } as never);
  const { error } = await eventually("it is done", async () => {
    const seen = await get();
    return seen.done && seen;
  });
  assert.equal(error?.code, 1, "CANCELLED");
  assert.equal((await operation.receipt()).origin, "google/grpc");
  await google.close();
});

test("the client stops waiting, and says that the operation is cancelled", async () => {
  const { operation } = await library.running("page.read", { ms: 600 });
  const reason = new Error("I have no more time");
  await assert.rejects(operation.wait({ signal: AbortSignal.abort(reason) }), reason);
  const giveUp = new AbortController();
  const waiting = assert.rejects(operation.result({ signal: giveUp.signal }), reason);
  giveUp.abort(reason);
  await waiting;
  assert.deepEqual(await operation.result(), {}, "it was never cancelled");
});

test("failed and cancelled look the same", async () => {
  const failed = await client.start("page.read", {
    payload: { ms: 60_000 },
    deadline: new Date(Date.now() + 200),
  });
  await assert.rejects(failed.result(), { name: "OperationFailed", code: "DEADLINE_EXCEEDED" });
  const cancelled = await client.start("page.read", { startDelayMs: 60_000 });
  await cancelled.cancel();
  await assert.rejects(cancelled.result(), { name: "OperationCancelled", code: "CANCELLED" });
});

test("a thousand operations need a thousand polls", async (t) => {
  const starts = Array.from({ length: 500 }, () => ({
    type: "page.read",
    startDelayMs: 3_600_000,
    labels: { batch: "thousand" },
  }));
  const handles = [...(await client.batchStart(starts)), ...(await client.batchStart(starts))];
  const names = handles.map((handle) => (handle instanceof OperationHandle ? handle.name : ""));
  const ended = new Set<string>();
  let isCancelled = false;
  const filter = 'labels.batch = "thousand"';
  for await (const told of client.watch({ names })) {
    if (told.type === "caughtUp") {
      isCancelled = true;
      await client.cancelOperations(filter, { reason: "enough" });
    } else if (told.event.state === State.CANCELLED) ended.add(told.event.name);
  }
  assert.ok(isCancelled);
  assert.equal(ended.size, 1000);
  t.diagnostic("one stream told the ends of 1,000 operations");
});

test("many are cancelled, and nobody knows how far that is, or what it met", async () => {
  const running = await library.running("page.read");
  const labels = { batch: "tracked" };
  await Promise.all([1, 2, 3].map(() => client.start("page.read", { startDelayMs: 3_600_000, labels })));
  const done = await client.start("page.read", { labels });
  await done.result();
  const file = library.file();
  const one = await client.start("page.read", { payload: { file, ms: 60_000 }, labels });
  await eventually("it runs", async () => (await one.get()).state === State.RUNNING);
  const cancel = await client.cancelOperations('labels.batch = "tracked"', { reason: "all of them" });
  const counted = await cancel.result();
  assert.deepEqual(counted, { matched: 4, verdicts: { STOPPING: 1, PREVENTED_START: 3 } });
  assert.equal((await cancel.get()).progress?.percent, 100);
  await untilCancelled(one);
  assert.equal((await running.operation.get()).state, State.RUNNING, "others are left alone");
  await running.operation.cancel();
});

test("it says nothing of how far it is", async () => {
  const operation = await client.start("page.count", { payload: { ms: 5 } });
  const percents: number[] = [];
  for await (const told of operation.watch()) {
    if (told.type === "change") percents.push(told.event.operation?.progress?.percent ?? 0);
  }
  const distinct = new Set(percents);
  assert.ok(distinct.size > 3, `${[...distinct]}`);
  assert.deepEqual(
    percents,
    percents.toSorted((a, b) => a - b),
  );
  assert.equal((await operation.get()).progress?.message, "page 100 of 100");
});

test("what runs cannot be found", async () => {
  const labels = { shelf: "top" };
  const { name } = await client.start("page.read", { payload: { ms: 60_000 }, labels });
  await client.start("page.read", { startDelayMs: 3_600_000, labels });
  const filter = 'labels.shelf = "top" AND state = RUNNING AND type = "page.read"';
  const { operations } = await eventually("it runs", async () => {
    const page = await client.list({ filter });
    return page.operations.length > 0 && page;
  });
  assert.deepEqual(
    operations.map((operation) => operation.name),
    [name],
  );
  assert.match(await library.cli("list", "--filter", filter), new RegExp(name.slice("operations/".length)));
  await (await client.cancelOperations('labels.shelf = "top"')).wait();
});

test("only the process that started it can wait for it", async () => {
  const { operation } = await library.running("page.read", { ms: 700 });
  const waiting = new BelayProcess([...belayCommand, "wait", operation.name, "--server", library.address]);
  const { code, stdout } = await waiting.end();
  assert.equal(code, 0, stdout);
  assert.deepEqual(await client.operation(operation.name).result(), {});
});

test("its caller is gone, and it runs for nobody", async () => {
  const { name } = await client.start("page.read", { payload: { ms: 60_000 }, unwatchedTimeoutMs: 1000 });
  const filter = `name = "${name}"`; // a list is no watch of one operation
  await eventually("it is cancelled", async () => {
    const { operations } = await client.list({ filter });
    return operations[0]?.state === State.CANCELLED;
  });
  assert.equal((await client.get(name)).cancellation?.cause, "unwatched");
});
