// The complaint that an operation is "cancelling" for ever: because its work does not heed the cancel, because the server
// forgot it in a crash, or because no worker is there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { StopUnconfirmed } from "../../src/client/client.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { readLines } from "../faults/outside.ts";
import { Library, untilCancelled } from "./library.ts";

const library = await Library.open();
const { client } = library;

test("it is cancelling for ever, since the work does not heed it", async () => {
  const { operation, file } = await library.running("page.deaf", { ms: 3000 });
  const { operation: asked } = await operation.cancel();
  const bound = asked.cancellation?.cancelDeadline;
  await assert.rejects(operation.result(), (error) => error instanceof StopUnconfirmed);
  const ended = await operation.get();
  const lateS = Number((ended.endTime?.seconds ?? 0n) - (bound?.seconds ?? 0n));
  assert.ok(lateS <= 1, `it ended ${lateS} s after the deadline that was told at once`);
  assert.ok(!readLines(file).includes("end") && ended.held, "it still runs, and that is what is said");
  await eventually("its late end is told, too", async () => (await operation.receipt()).stopConfirmedTime);
  assert.ok(readLines(file).includes("end"));
  assert.equal((await operation.get()).held, false);
});

test("it is cancelling for ever, since the server has forgotten it in a crash", async () => {
  const deaf = await library.running("page.deaf", { ms: 7000 });
  const { operation } = await library.running("page.transfer", { ms: 1500 });
  await operation.cancel({ reason: "before the crash" });
  await deaf.operation.cancel();
  await library.crash();
  const { cancellation } = await untilCancelled(operation);
  assert.equal(cancellation?.reason, "before the crash");
  assert.equal(cancellation?.evidence, "HANDLER_STOPPED");
  await assert.rejects(deaf.operation.result(), (error) => error instanceof StopUnconfirmed);
  await eventually("its late end is told", async () => (await deaf.operation.receipt()).stopConfirmedTime);
});

test("it is cancelling for ever, since nobody works on it", async () => {
  const operation = await client.start("page.read", { startDelayMs: 3_600_000 });
  const { verdict, operation: ended } = await operation.cancel();
  assert.equal(verdict, "PREVENTED_START");
  assert.ok(ended.done);
  await library.crash();
  await untilCancelled(operation);
});

test("a client that waits does not outlive the server's restart", async () => {
  const { operation } = await library.running("page.read");
  const waiting = operation.wait();
  await operation.get(); // answered after the wait's own first look
  await library.crash();
  await library.cli("cancel", operation.name);
  assert.equal((await waiting).done, true);
});
