// Leases after a pause of the server: the heartbeats that waited in the sockets come before the end of a session.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger, type Logger } from "../../base/logger.ts";
import { SharedClock } from "../../stores/sqlite/store-clock.ts";
import { eventually } from "../../testing/eventually.ts";
import { openEngine, openSession, Recording } from "../../testing/test-engine.ts";

const START = 1_800_000_000_000_000;
const LEASE_MS = 200;

test("after a pause a session whose heartbeat waited lives on, and one without ends", async (context) => {
  const clock = new SharedClock(START);
  const noticed = Promise.withResolvers<void>();
  const logger = Object.assign(Object.create(createLogger("silent")) as Logger, {
    warn: (_fields: object, line: string) => /leases wait/.test(line) && noticed.resolve(),
  });
  const { engine } = await openEngine(context, { store: { clock }, logger });
  const [live, dead] = [new Recording(true), new Recording(true)];
  const beating = await openSession(engine, live, { kind: "remote", leaseMs: LEASE_MS });
  await openSession(engine, dead, { kind: "remote", leaseMs: LEASE_MS });
  clock.advance(60_000);
  await noticed.promise; // the keeper's timer came a minute late; only now the heartbeat is read from its socket
  assert.deepEqual(await beating.heartbeat(), []);
  await eventually("the end of the other", () => dead.heard.includes("ended expired"));
  assert.deepEqual(live.heard, []);
  assert.deepEqual(
    (await engine.workers()).map(({ session }) => session),
    [beating.id],
  );
});

test("a lease that passes in its time ends at once", async (context) => {
  const clock = new SharedClock(START);
  const { engine } = await openEngine(context, { store: { clock } });
  const transport = new Recording(true);
  await openSession(engine, transport, { kind: "remote", leaseMs: LEASE_MS });
  clock.advance(LEASE_MS - 1);
  assert.deepEqual(transport.heard, []);
  clock.advance(1);
  await eventually("the end", () => transport.heard.includes("ended expired"));
});
