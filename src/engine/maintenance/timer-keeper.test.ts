// Deadlines that pass while the database is away: what a worker could not report meanwhile comes before them.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { createLogger } from "../../base/logger.ts";
import { RpcError } from "../../base/rpc-error.ts";
import { delay } from "../../base/timers.ts";
import { SqliteStore } from "../../stores/sqlite/sqlite-store.ts";
import { eventually } from "../../testing/eventually.ts";
import { SharedStore } from "../../testing/shared-store.ts";
import {
  begun,
  cancelCall,
  openSession,
  policy,
  Recording,
  report,
  stopped,
  type World,
} from "../../testing/test-engine.ts";
import { Engine } from "../engine.ts";
import type { HeldAttempt } from "../session.ts";

/** Longer than the cancel deadline of the type, and than a database may take to answer. */
const AWAY_MS = 1500;

/** A worker that is on its way to try a report again says it this long after the database is back. */
const REPORT_AFTER_MS = 800;

interface Shared extends Pick<World, "engine" | "session"> {
  shared: SharedStore;
  attempt: HeldAttempt & { name: string };
}

/** One node of a shared store, and an operation that is asked to stop within 200 ms. */
async function stopping(context: TestContext): Promise<Shared> {
  const folder = mkdtempSync(join(tmpdir(), "belay-timers-"));
  const sqlite = await SqliteStore.open(folder);
  const shared = new SharedStore(sqlite);
  const engine = new Engine({ store: shared.node("a"), logger: createLogger("silent"), node: "a" });
  context.after(async () => {
    shared.reach = null;
    await engine.close();
    await sqlite.close();
    rmSync(folder, { recursive: true });
  });
  engine.registerType("test.work", { ...policy, cancel: { ...policy.cancel, graceMs: 100, killMs: 100 } });
  engine.startMaintenance();
  const transport = new Recording(true);
  const session = await openSession(engine, transport, { kind: "remote", leaseMs: 60_000 });
  const attempt = await begun({ engine, transport, session });
  await engine.cancel(cancelCall(attempt.name));
  return { engine, session, shared, attempt };
}

const ways: Record<string, (back: Promise<void>) => Promise<void>> = {
  "does not answer": (back) => back,
  "refuses every call": () => Promise.reject(new RpcError("STORAGE_UNAVAILABLE")),
};

describe("deadlines of a shared store", { concurrency: true }, () => {
  for (const [way, reach] of Object.entries(ways)) {
    test(`a stop is still reported where the database ${way} until the cancel deadline has passed`, async (context) => {
      const { engine, session, shared, attempt } = await stopping(context);
      const { promise: back, resolve } = Promise.withResolvers<void>();
      shared.reach = () => reach(back);
      await delay(AWAY_MS);
      shared.reach = null;
      resolve();
      await delay(REPORT_AFTER_MS);
      await report(session, attempt, stopped);
      const { record } = await engine.get(attempt.key);
      assert.equal(record.state, "CANCELLED");
      assert.equal(record.cancel?.evidence, "HANDLER_STOPPED");
    });
  }

  test("a database that is always slow delays a cancel deadline once, and does not keep it away", async (context) => {
    const { engine, shared, attempt } = await stopping(context);
    shared.reach = () => delay(1100);
    const { record } = await eventually("the end", async () => {
      const stored = await engine.get(attempt.key);
      return stored.record.outcome === null ? undefined : stored;
    });
    assert.equal(record.state, "FAILED");
    assert.ok(record.held, "STOP_UNCONFIRMED");
  });
});
