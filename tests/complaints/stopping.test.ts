// Complaints about stopping: that it does not happen, that it cannot be asked for, or that it destroys what it should not.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { test } from "node:test";
import { delay } from "../../src/base/timers.ts";
import { Cancellation_Phase } from "../../src/protocol/gen/belay/v1/operations_pb.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { isAlive, readLines } from "../faults/outside.ts";
import { Library, untilCancelled } from "./library.ts";

const library = await Library.open();
const { client } = library;

/** How long a file is watched that must not grow: several beats of whatever would write it. */
const WATCH_MS = 200;

test("cancelled, they say, and the process runs on", async () => {
  const { operation, file } = await library.running("page.print");
  const pids = await eventually("parent and child", () => {
    const lines = readLines(file);
    return lines.length === 2 && lines.map(Number);
  });
  await operation.cancel({ reason: "wrong page" });
  const { cancellation } = await untilCancelled(operation);
  assert.deepEqual(pids.filter(isAlive), [], "CANCELLED was said while a process lived");
  assert.equal(cancellation?.evidence, "PROCESS_EXITED");
});

test("a cancel is answered with OK, and the work goes on", async () => {
  const { operation, file } = await library.running("page.read");
  await operation.cancel();
  await untilCancelled(operation);
  const { size } = statSync(file);
  await delay(WATCH_MS);
  assert.equal(statSync(file).size, size);
  assert.ok(!readLines(file).includes("end"));
});

for (const type of ["page.read", "page.spin", "page.print"]) {
  test(`only what has not begun can be cancelled: a running ${type}`, async () => {
    const { operation } = await library.running(type);
    const { verdict } = await operation.cancel({ graceMs: 200 });
    assert.equal(verdict, "STOPPING");
    await untilCancelled(operation);
  });
}

test("there is no way to force it", async () => {
  const { operation } = await library.running("page.spin");
  const { operation: asked } = await operation.cancel();
  const graceS = Number(asked.cancellation?.graceEndTime?.seconds) - Date.now() / 1000;
  assert.ok(graceS > 30, "it has a minute to stop by itself, and does not");
  const forcedMs = performance.now();
  const { verdict } = await operation.cancel({ force: true, reason: "now" });
  assert.equal(verdict, "ALREADY_STOPPING");
  const { cancellation } = await untilCancelled(operation);
  assert.ok(performance.now() - forcedMs < 5000);
  assert.equal(cancellation?.mechanism, "TERMINATE");
});

test("a cancel waits for the next heartbeat", async (t) => {
  const timesMs: number[] = [];
  for (let round = 0; round < 5; round++) {
    const { operation, file } = await library.running("page.read");
    await operation.cancel();
    const ackMs = Date.now();
    const line = await eventually("the handler is told", () =>
      readLines(file).find((each) => each.startsWith("abort")),
    );
    timesMs.push(Number(line.split(" ")[1]) - ackMs);
  }
  const [quickest = Number.NaN] = timesMs.sort((a, b) => a - b);
  t.diagnostic(`acknowledgement to abort: ${timesMs.join(", ")} ms; heartbeats come every 20 s`);
  assert.ok(quickest < 100 && Math.max(...timesMs) < 2000, `${timesMs} ms`);
});

test("what was done until then is lost", async () => {
  const operation = await client.start("page.count", { payload: { ms: 20 } });
  await eventually(
    "some pages are counted",
    async () => ((await operation.get()).progress?.percent ?? 0) > 3,
  );
  await operation.cancel();
  const { checkpoint, progress } = await untilCancelled(operation);
  const pages = Number(checkpoint?.["pages"]);
  assert.ok(pages > 3 && pages < 100);
  assert.ok(Math.abs((progress?.percent ?? 0) - pages) <= 1);
  assert.deepEqual((await operation.receipt()).checkpoint, { pages });
});

test("nobody can say who cancelled it, when, and why", async () => {
  const { operation } = await library.running("page.read");
  await library.cli("cancel", operation.name, "--reason", "wrong month", "--on-behalf-of", "ann");
  await untilCancelled(operation);
  const receipt = await operation.receipt();
  assert.equal(receipt.reason, "wrong month");
  assert.equal(receipt.onBehalfOf, "ann");
  assert.equal(receipt.origin, "native/grpc");
  assert.equal(receipt.cause, "cancel");
  assert.ok(receipt.requestTime && receipt.stopTime && receipt.latency);
  const kinds = receipt.events.map(({ kind }) => kind);
  assert.deepEqual(kinds, ["REQUESTED", "DELIVERED", "ACKNOWLEDGED", "STOPPED", "ENDED"]);
  assert.match(await library.cli("receipt", operation.name), /wrong month/);
});

test("it is stopped half-way through what must not be torn apart", async () => {
  const { operation, file } = await library.running("page.transfer", { ms: 500 });
  await operation.cancel({ reason: "in between" });
  const held = await eventually("the abort is held back", async () => {
    const { cancellation } = await operation.get();
    return cancellation?.phase === Cancellation_Phase.DEFERRED && cancellation;
  });
  assert.equal(held.deferredBy, "moves the second half");
  const { cancellation } = await untilCancelled(operation);
  assert.deepEqual(readLines(file).slice(0, 2), ["first half", "second half"]);
  assert.ok(!readLines(file).includes("end"), "it was held back, and not dropped");
  assert.equal(cancellation?.deferredBy, "");
});

test("what is cancelled cannot be run again", async () => {
  const { operation } = await library.running("page.read", { ms: 1500 });
  await operation.cancel();
  await untilCancelled(operation);
  const again = await operation.rerun({ requestId: "once" });
  assert.notEqual(again.name, operation.name);
  assert.deepEqual(await again.result(), {});
  assert.equal((await again.get()).rerunOf, operation.name);
  assert.equal((await operation.rerun({ requestId: "once" })).name, again.name);
});

test("nobody can say why it is still there", async () => {
  const { operation } = await library.running("page.transfer", { ms: 800 });
  await operation.cancel();
  const why = await eventually("the section is named", async () => {
    const { reasons } = await operation.explain();
    return reasons.find(({ code }) => code === "CRITICAL_SECTION");
  });
  assert.match(why.text, /moves the second half/);
  await untilCancelled(operation);
});
