// A wait must not miss the end that comes between its read and its sleep. The engine and the store are real; only the
// order is chosen here: every read of an operation is held until the test lets its answer through.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { createLogger } from "../../src/base/logger.ts";
import { Engine } from "../../src/engine/engine.ts";
import { isDone, type OperationKey, type StoredOperation } from "../../src/engine/operation.ts";
import type { Store } from "../../src/engine/store.ts";
import { SqliteStore } from "../../src/stores/sqlite/sqlite-store.ts";
import { samplePolicy } from "../../src/testing/sample-operation.ts";

/** Far longer than a test: a wait that ends by it was not woken. */
const WAIT_MS = 60_000;

type Gate = (answer: StoredOperation | undefined) => Promise<StoredOperation | undefined>;

/** The store with nothing at hand, and with its point reads behind a gate. */
function gated(store: SqliteStore, gate: Gate): Store {
  const own: Partial<Store> = {
    getOperation: async (key) => gate(await store.getOperation(key)),
    peekOperation: () => undefined,
  };
  return new Proxy<Store>(store, {
    get(target, name) {
      const value: unknown = Reflect.get(own, name) ?? Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

interface Rig {
  engine: Engine;
  start(): Promise<OperationKey>;
}

async function rig(t: TestContext, gate: { current: Gate }): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), "belay-wait-race-"));
  const sqlite = await SqliteStore.open(folder);
  const engine = new Engine({
    store: gated(sqlite, (answer) => gate.current(answer)),
    logger: createLogger("silent"),
  });
  engine.registerType("test.work", samplePolicy());
  t.after(async () => {
    await engine.close();
    await sqlite.close();
    rmSync(folder, { recursive: true });
  });
  const start = async (): Promise<OperationKey> => {
    const { operation } = await engine.start({
      service: "default",
      tenant: "default",
      idPrefix: "opr",
      parent: "",
      type: "test.work",
      createdBy: "alice",
      origin: "native/grpc",
      description: "",
      labels: {},
      request: null,
      metadata: null,
      requestId: "",
      requestDigest: "",
      method: "Start",
      deadline: null,
    });
    const { service, tenant, name } = operation.record;
    return { service, tenant, name };
  };
  return { engine, start };
}

/** Ends a pending operation: the change that a wait sleeps for. */
function finish(engine: Engine, key: OperationKey): Promise<unknown> {
  return engine.cancel({ key, requestedBy: "bob", reason: "", origin: "google/grpc", graceMs: null });
}

const openGate: Gate = async (answer) => answer;

/** True once the wait has answered; false if it is still held after its turns. */
async function isAnswered(wait: Promise<StoredOperation>): Promise<boolean> {
  let answered = false;
  void wait.then(() => {
    answered = true;
  });
  for (let turns = 0; turns < 500 && !answered; turns++) await turn();
  return answered;
}

test("a wait whose read was overtaken by the end is answered, not left asleep", async (t) => {
  const gate = { current: openGate };
  const { engine, start } = await rig(t, gate);
  const key = await start();
  const hasRead = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  gate.current = async (answer) => {
    gate.current = openGate;
    hasRead.resolve();
    await release.promise;
    return answer;
  };
  const wait = engine.wait(key, { timeoutMs: WAIT_MS, onCallerGone: () => {} });
  await hasRead.promise; // it has seen PENDING, and does not know it yet
  await finish(engine, key);
  release.resolve();
  assert.ok(await isAnswered(wait), "lost wake-up: the wait sleeps although the operation is done");
  assert.ok(isDone((await wait).record.state));
});

test("in any order of reads, ends and answers, every wait is answered with the end", async (t) => {
  const gate = { current: openGate };
  const { engine, start } = await rig(t, gate);
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.integer({ min: 1, max: 3 }), async (scheduler, waiters) => {
      const key = await start();
      gate.current = (answer) => scheduler.schedule(Promise.resolve(answer), "read");
      const ended = scheduler.schedule(Promise.resolve(), "end").then(() => finish(engine, key));
      const waits = Array.from({ length: waiters }, () =>
        engine.wait(key, { timeoutMs: WAIT_MS, onCallerGone: () => {} }),
      );
      const all = Promise.all(waits);
      await scheduler.waitFor(Promise.all([ended, all]));
      gate.current = openGate;
      for (const { record } of await all) assert.ok(isDone(record.state), record.state);
    }),
    { numRuns: 50 },
  );
  assert.equal(engine.waiterCount, 0);
});
