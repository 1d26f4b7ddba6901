// Real training on real digits; only the context is made by hand. One test runs the handler in a thread, as a worker
// does, to see that nothing of it is left after an abort.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import type { JsonObject } from "belayd/worker";
import type { ThreadNews } from "../handler-thread.fixture.ts";
import { RecordedContext } from "../recorded-context.fixture.ts";
import { checkSettings, readSettings } from "./settings.ts";
import type { StoredModel } from "./stored-model.ts";
import { handler } from "./train.ts";

const small = { epochs: 20, hidden: 32, batchSize: 16, imagesPerDigit: 400 };

/** The limit of a checkpoint. */
const CHECKPOINT_BYTES_MAX = 262_144;

interface Answer {
  validationAccuracy: number;
  epoch: number;
  model: StoredModel;
}

test("the same settings train the same model, and another seed another one", async () => {
  const train = async (seed: number): Promise<JsonObject> => {
    return handler(new RecordedContext().context, { epochs: 2, hidden: 8, imagesPerDigit: 20, seed });
  };
  const first = await train(1);
  assert.deepEqual(await train(1), first);
  assert.notDeepEqual(await train(2), first);
});

test("another attempt goes on after the checkpoint's epoch, with its model", async () => {
  const settings = { ...small, epochs: 8, imagesPerDigit: 100 };
  const first = new RecordedContext();
  await handler(first.context, settings);
  const kept = first.checkpoints.find(({ epoch }) => (epoch as number) >= 4)!;
  const second = new RecordedContext({ checkpointed: kept });
  const answer = (await handler(second.context, settings)) as unknown as Answer;
  const [, next] = second.progress;
  assert.match(next![1], new RegExp(`^epoch ${(kept["epoch"] as number) + 1} of 8, `));
  assert.ok(answer.validationAccuracy >= (kept["accuracy"] as number));
});

test("the checkpoint of the last epoch is answered without another one", async () => {
  const settings = { epochs: 1, hidden: 8, imagesPerDigit: 20 };
  const first = new RecordedContext();
  const answer = await handler(first.context, settings);
  const second = new RecordedContext({ checkpointed: first.checkpoints[0]! });
  assert.deepEqual(await handler(second.context, settings), answer);
  assert.deepEqual(second.checkpoints, []);
});

test("the largest network fits a checkpoint", async () => {
  const recorded = new RecordedContext();
  await handler(recorded.context, { epochs: 1, hidden: 120, imagesPerDigit: 10 });
  const bytes = JSON.stringify(recorded.checkpoints[0]).length;
  assert.ok(bytes > 250_000 && bytes < CHECKPOINT_BYTES_MAX - 1_000, `${bytes} bytes`);
});

test("a handler whose signal has aborted already trains nothing", async () => {
  const reason = new Error("too late");
  const recorded = new RecordedContext({ signal: AbortSignal.abort(reason) });
  await assert.rejects(handler(recorded.context, small), (error) => error === reason);
  assert.deepEqual(recorded.checkpoints, []);
});

test("settings out of their range are refused with the range", () => {
  const rows: readonly [JsonObject, RegExp][] = [
    [{ epochs: 0 }, /^epochs 0 is not a whole number from 1 to 1000$/],
    [{ epochs: 1.5 }, /^epochs 1\.5 is not a whole number/],
    [{ epochs: "40" }, /^epochs "40" is not/],
    [{ epochs: null }, /^epochs null is not/],
    [{ learningRate: 0 }, /^learningRate 0 is not a number from 0\.0001 to 1$/],
    [{ hidden: 121 }, /^hidden 121 is not a whole number from 1 to 120$/],
    [{ batchSize: 1_001 }, /^batchSize 1001 is not/],
    [{ seed: -1 }, /^seed -1 is not a whole number from 0 to 4294967295$/],
    [{ imagesPerDigit: 9 }, /^imagesPerDigit 9 is not a whole number from 10 to 863$/],
    // A slip of the pen would train for minutes with the default.
    [{ epoch: 3 }, /^there is no setting "epoch"; there are: epochs, learningRate, /],
    [{ toString: 1 }, /^there is no setting "toString"/],
  ];
  for (const [input, message] of rows) {
    assert.throws(() => readSettings(input), { name: "InvalidPayload", code: 3, message });
    const told = checkSettings(input).filter(({ description }) => message.test(description));
    assert.equal(told.length, 1);
  }
  assert.equal(readSettings({ learningRate: 0.5 }).learningRate, 0.5);
  assert.deepEqual(checkSettings({ learningRate: 0.5 }), []);
  const fields = checkSettings({ seed: -1, x: 1, epochs: 0 }).map(({ field }) => field);
  assert.deepEqual(fields, ["", "epochs", "seed"]);
});

test("an abort in the middle of an epoch ends the thread, and nothing more is heard of it", async () => {
  const thread = new Worker(new URL("../handler-thread.fixture.ts", import.meta.url), {
    workerData: { module: new URL("./train.ts", import.meta.url).href, input: {} },
  });
  const news: ThreadNews[] = [];
  const firstEpoch = Promise.withResolvers<void>();
  thread.on("message", (message: ThreadNews) => {
    news.push(message);
    if ("checkpoint" in message) firstEpoch.resolve();
  });
  await firstEpoch.promise;
  const exited = once(thread, "exit");
  const abortedAt = performance.now();
  thread.postMessage("abort");
  // Nobody terminates it: it ends by itself once the handler has failed.
  assert.deepEqual(await exited, [0]);
  const tookMs = performance.now() - abortedAt;
  assert.deepEqual(news.at(-1), { isReason: true });
  // The training had minutes to go. Measured: 7-80 ms.
  assert.ok(tookMs < 1_000, `took ${tookMs} ms`);
});
