// The complaint that what is done stays for ever, or that nothing is left of it. The server looks once a minute, so this
// takes one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { BelayError, State } from "../../src/client/client.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { Library } from "./library.ts";

const library = await Library.open();
const { client } = library;

test("what is done stays for ever, or its record is gone with it", async () => {
  const { operation } = await library.running("page.read", { ms: 600_000 });
  const short = await client.start("page.read", { startDelayMs: 3_600_000, retentionMs: 1000 });
  await short.cancel({ reason: "short life" });
  const isPurged = async (): Promise<boolean> => {
    const error = await short.get().catch((thrown: unknown) => thrown);
    return error instanceof BelayError && error.code === "NOT_FOUND";
  };
  await eventually("it is purged", isPurged, { timeoutMs: 90_000 });
  assert.equal((await short.receipt()).reason, "short life");
  assert.equal((await operation.get()).state, State.RUNNING, "what has not ended is never purged");
  await operation.cancel();
});
