// When a refused call is sent again, and when no more. With a real server: tests/conformance/lro/overload.long.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { BelayError } from "./belay-error.ts";
import { whileOverloaded } from "./overload-retry.ts";

const overloaded = (retryDelayMs?: number): BelayError =>
  new BelayError("later", { code: "RESOURCE_EXHAUSTED", reason: "OVERLOADED", retryDelayMs });

/** What came out of it, and how often it was called. */
async function tried(
  failures: readonly Error[],
  {
    timeoutMs = 10_000,
    retries = 4,
    signal,
  }: { timeoutMs?: number; retries?: number; signal?: AbortSignal } = {},
): Promise<[unknown, number]> {
  let calls = 0;
  const once = async (): Promise<string> => {
    const failure = failures[calls++];
    if (failure) throw failure;
    return "answered";
  };
  const outcome = await whileOverloaded(once, { timeoutMs, signal }, retries).catch(
    (error: unknown) => error,
  );
  return [outcome, calls];
}

test("a refused call is sent again until it is let in", async () => {
  assert.deepEqual(await tried([overloaded(1), overloaded(1)]), ["answered", 3]);
});

test("it is sent no more often than is said, nor past its deadline", async () => {
  const refusals = Array.from({ length: 9 }, () => overloaded(1));
  assert.deepEqual(await tried(refusals, { retries: 2 }), [refusals[2], 3]);
  const late = overloaded(500);
  assert.deepEqual(await tried([late], { timeoutMs: 400 }), [late, 1]);
});

test("nothing else is sent again: it may have been done", async () => {
  const others = [
    new BelayError("away", { code: "UNAVAILABLE", retryDelayMs: 1 }),
    new BelayError("full", { code: "RESOURCE_EXHAUSTED", reason: "STORAGE_FULL", retryDelayMs: 1 }),
    overloaded(),
  ];
  for (const error of others) assert.deepEqual(await tried([error]), [error, 1]);
});

test("an abort ends the wait for the next try", async () => {
  const controller = new AbortController();
  const trying = tried([overloaded(5000)], { signal: controller.signal });
  controller.abort(new Error("enough"));
  const [outcome, calls] = await trying;
  assert.deepEqual([(outcome as Error).message, calls], ["enough", 1]);
});
