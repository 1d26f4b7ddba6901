// Remote sessions: their lease is a time, kept by one row; what they hold is settled in one batch when it has passed.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { OpenSession } from "../../../src/engine/store.ts";
import {
  expectOutcome,
  expectRefused,
  fencedBy,
  keyOf,
  payload,
  policy,
  SECOND,
  type World,
} from "./store-harness.ts";

const remote = { kind: "remote", leaseMs: 15 * SECOND, build: "1.4.2", principal: "worker:gpu" } as const;
const twice = { policy: { ...policy, maxAttempts: 2 } };

export function exerciseSessions(world: () => World): void {
  async function mine(w: World): Promise<OpenSession | undefined> {
    return (await w.store.listSessions()).find(({ session }) => session === w.session);
  }

  const expire = { type: "expireSessions", limit: 100 } as const;

  test("operations of a type that stop, or are held, are found until they have stopped", async () => {
    const w = world();
    await w.commit(w.openSession(w.session, remote), w.start(), w.start(), w.start());
    const { grants } = expectOutcome(await w.run(w.acquire(2)), "granted");
    // They are told in the order of their names.
    const byName = grants.toSorted((a, b) => (a.record.name < b.record.name ? -1 : 1));
    const [first, second] = byName.map(({ record }) => record);
    const stopping = async (): Promise<string[]> =>
      (await w.store.stoppingOperations(w.type, 10)).map(({ name }) => name);
    assert.deepEqual(await stopping(), []);
    await w.run(w.cancel(second!));
    assert.deepEqual(await stopping(), [second!.name]);
    await w.run(w.cancel(first!, { graceMs: 0 }));
    assert.deepEqual(await stopping(), [first!.name, second!.name]);
    assert.deepEqual(await w.store.stoppingOperations(w.type, 1), [keyOf(first!)]);
    assert.deepEqual(await w.store.stoppingOperations("test.none", 10), []);
    w.harness.advance(10 * SECOND);
    await w.run({ type: "tick", key: keyOf(first!) });
    assert.equal((await w.store.getOperation(keyOf(first!)))?.record.state, "FAILED");
    assert.ok((await stopping()).includes(first!.name));
    await w.run(w.stopped(byName[0]!));
    assert.ok(!(await stopping()).includes(first!.name));
  });

  test("a session is listed with who opened it, and how much it runs, has reserved, and left held", async () => {
    const w = world();
    const opened = w.store.clock.now();
    await w.commit(w.openSession(w.session, remote), w.start(), w.start(), w.start());
    await w.run(w.acquire(1));
    const reserve = {
      type: "acquire",
      session: w.session,
      types: [w.type],
      limit: 1,
      guarded: true,
      begin: false,
    } as const;
    await w.run(reserve);
    const [third] = expectOutcome(await w.run(w.acquire(1)), "granted").grants;
    await w.run(w.cancel(third!.record, { graceMs: 0 }));
    w.harness.advance(10 * SECOND);
    await w.run({ type: "tick", key: keyOf(third!.record) });
    await w.run({ type: "heartbeat", session: w.session });
    const expected = {
      session: w.session,
      ...remote,
      worker: "w",
      types: [w.type],
      slots: 4,
      guarded: true,
      bootId: "boot",
      openTime: opened,
      heartbeatTime: w.store.clock.now(),
    };
    assert.deepEqual(await mine(w), { ...expected, running: 1, reserved: 1, held: 1 });
    await w.harness.reopen();
    assert.deepEqual(await mine(w), { ...expected, running: 1, reserved: 1, held: 1 });
  });

  test("all that a session has by lease comes back with what a grant carries", async () => {
    const w = world();
    await w.commit(w.openSession(w.session, remote), w.start(twice), w.start({ request: payload("second") }));
    const grants = expectOutcome(await w.run(w.acquire(2)), "granted").grants;
    await w.run({ type: "checkpoint", ...fencedBy(grants[0]!), checkpoint: payload("half") });
    const again = await w.store.sessionGrants(w.session);
    assert.equal(again.length, 2);
    const byName = new Map(again.map((grant) => [grant.record.name, grant]));
    const first = byName.get(grants[0]!.record.name);
    assert.deepEqual(first?.checkpoint, payload("half"));
    assert.deepEqual(first?.record, (await w.get(grants[0]!.record)).record);
    assert.deepEqual(byName.get(grants[1]!.record.name), grants[1]);
    assert.deepEqual(await w.store.sessionGrants("nobody"), []);
    const held = await w.store.heldCount();
    await w.run(w.cancel(grants[1]!.record, { graceMs: 0 }));
    w.harness.advance(10 * SECOND);
    await w.run({ type: "tick", key: keyOf(grants[1]!.record) });
    const taken = (await w.store.sessionGrants(w.session)).find(({ record }) => record.lease === null);
    assert.equal(taken?.record.held?.session, w.session, "what may still run keeps it from new work");
    assert.equal(await w.store.heldCount(), held + 1);
  });

  test("a session whose lease has passed is closed, and all it held is settled at once", async () => {
    const w = world();
    await w.commit(w.openSession(w.session, remote), w.start(twice), w.start(twice), w.start());
    const grants = expectOutcome(await w.run(w.acquire(3)), "granted").grants;
    await w.run(w.cancel(grants[1]!.record));
    w.harness.advance(15 * SECOND - 1);
    await w.run(expire);
    assert(await mine(w), "not before its time");
    w.harness.advance(1);
    await w.run(expire);
    assert.equal(await mine(w), undefined);
    const states = await Promise.all(grants.map(async ({ record }) => (await w.get(record)).record.state));
    assert.deepEqual(states, ["PENDING", "CANCELLED", "FAILED"]);
    assert.equal((await w.get(grants[1]!.record)).record.cancel?.evidence, "LEASE_EXPIRED");
    expectRefused(await w.run({ type: "heartbeat", session: w.session }), "SESSION_UNKNOWN");
    expectRefused(await w.run(w.complete(grants[0]!)), "LEASE_LOST");
  });

  test("a heartbeat moves the lease's end, also one of the same batch", async () => {
    const w = world();
    await w.run(w.openSession(w.session, remote));
    w.harness.advance(10 * SECOND);
    await w.run({ type: "heartbeat", session: w.session });
    w.harness.advance(10 * SECOND);
    await w.run(expire);
    assert(await mine(w));
    w.harness.advance(10 * SECOND);
    await w.commit({ type: "heartbeat", session: w.session }, expire);
    assert(await mine(w), "the heartbeat came first");
    w.harness.advance(15 * SECOND);
    await w.run(expire);
    assert.equal(await mine(w), undefined);
  });

  test("the end of the first lease is known when a server starts; those without a timed lease have none", async () => {
    const w = world();
    w.harness.advance(3600 * SECOND);
    while (expectOutcome(await w.run(expire), "settled").count > 0);
    await w.run(w.openSession(`${w.session}-embedded`));
    assert.equal((await w.store.pendingWork()).nextLeaseEnd, null);
    const now = w.store.clock.now();
    await w.run(w.openSession(`${w.session}-late`, { ...remote, leaseMs: 60 * SECOND }));
    await w.run(w.openSession(w.session, remote));
    assert.equal((await w.store.pendingWork()).nextLeaseEnd, now + 15_000_000);
    await w.harness.reopen();
    assert.equal((await w.store.pendingWork()).nextLeaseEnd, now + 15_000_000);
    w.harness.advance(3600 * SECOND);
    await w.run(expire);
    assert.equal(await mine(w), undefined);
    const embedded = (await w.store.listSessions()).some(
      ({ session }) => session === `${w.session}-embedded`,
    );
    assert(embedded, "a session without a timed lease does not expire");
  });

  test("as many sessions are closed at once as the limit says", async () => {
    const w = world();
    const sessions = [1, 2, 3].map((number) => `${w.session}-${number}`);
    await w.commit(...sessions.map((session) => w.openSession(session, remote)));
    w.harness.advance(20 * SECOND);
    const left = async (): Promise<number> =>
      (await w.store.listSessions()).filter(({ session }) => sessions.includes(session)).length;
    await w.run({ type: "expireSessions", limit: 2 });
    assert.equal(await left(), 1);
    await w.run({ type: "expireSessions", limit: 2 });
    assert.equal(await left(), 0);
  });

  test("a heartbeat is remembered by the clock: time does not go back over a restart", async () => {
    const w = world();
    await w.run(w.openSession(w.session, remote));
    w.harness.advance(5 * SECOND);
    await w.run({ type: "heartbeat", session: w.session });
    const now = w.store.clock.now();
    await w.harness.reopen();
    assert(w.store.clock.now() >= now);
    assert.equal((await mine(w))?.heartbeatTime, now);
  });
}
