// Sessions, grants and timers: what the store finds for acquire, tickDue and closeSession.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "../../../src/engine/commands.ts";
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

export function exerciseLeases(world: () => World): void {
  async function grantedNames(w: World, limit: number): Promise<string[]> {
    const { grants } = expectOutcome(await w.run(w.acquire(limit)), "granted");
    return grants.map(({ record }) => record.name);
  }

  test("an acquire is granted what another command of its batch names", async () => {
    const w = world();
    const record = await w.started();
    await w.run(w.openSession());
    const refused = { type: "release", key: keyOf(record), session: "nobody", token: 1 } as const;
    const { outcomes } = await w.commit(w.acquire(1), refused);
    expectRefused(outcomes[1], "LEASE_LOST");
    const [grant] = expectOutcome(outcomes[0], "granted").grants;
    assert.equal(grant?.record.name, record.name);
    assert.deepEqual(grant?.request, payload("request"));
  });

  test("acquire grants due operations, the oldest start first, each once", async () => {
    const w = world();
    await w.run(w.openSession());
    const names: string[] = [];
    for (let made = 0; made < 5; made++) {
      names.push((await w.started()).name);
      w.harness.advance(1);
    }
    assert.deepEqual(await grantedNames(w, 2), names.slice(0, 2));
    assert.deepEqual(await grantedNames(w, 10), names.slice(2));
    assert.deepEqual(await grantedNames(w, 10), []);
  });

  test("a grant carries the request and the last checkpoint, and begins the attempt", async () => {
    const w = world();
    const first = await w.running({ request: payload("the work"), policy: { ...policy, maxAttempts: 2 } });
    assert.deepEqual(first.request, payload("the work"));
    assert.equal(first.checkpoint, null);
    assert.equal(first.record.state, "RUNNING");
    await w.commit(
      { type: "checkpoint", ...fencedBy(first), checkpoint: payload("half") },
      { type: "checkpoint", ...fencedBy(first), checkpoint: payload("most") },
      { type: "release", ...fencedBy(first) },
    );
    const { grants } = expectOutcome(await w.run(w.acquire(1)), "granted");
    assert.deepEqual(grants[0]?.checkpoint, payload("most"));
    assert.deepEqual(grants[0]?.request, payload("the work"));
    assert.equal(grants[0]?.record.attempt, 2);
    assert.equal(grants[0]?.record.leaseToken, 2);
  });

  test("acquire grants only the types it names, of any tenant", async () => {
    const w = world();
    await w.run(w.openSession());
    const other = await w.started({ operationType: `${w.type}.other` });
    const foreign = w.start();
    foreign.key.tenant = `${w.tenant}-b`;
    await w.commit(foreign);
    assert.deepEqual(await grantedNames(w, 10), [foreign.key.name]);
    const both = expectOutcome(await w.run(w.acquire(10, { types: [w.type, `${w.type}.other`] })), "granted");
    assert.deepEqual(
      both.grants.map(({ record }) => record.name),
      [other.name],
    );
  });

  test("several types are granted in the order of their starts", async () => {
    const w = world();
    await w.run(w.openSession());
    const types = [`${w.type}.b`, `${w.type}.a`, `${w.type}.b`, `${w.type}.a`];
    const names: string[] = [];
    for (const operationType of types) {
      names.push((await w.started({ operationType })).name);
      w.harness.advance(1);
    }
    const command = w.acquire(3, { types: [`${w.type}.a`, `${w.type}.b`] });
    const { grants } = expectOutcome(await w.run(command), "granted");
    assert.deepEqual(
      grants.map(({ record }) => record.name),
      names.slice(0, 3),
    );
  });

  test("two acquires of one batch share what is there", async () => {
    const w = world();
    const other = `${w.session}-b`;
    await w.commit(w.openSession(), w.openSession(other), ...Array.from({ length: 5 }, () => w.start()));
    const { outcomes } = await w.commit(w.acquire(3), w.acquire(3, { session: other }));
    const first = expectOutcome(outcomes[0], "granted").grants;
    const second = expectOutcome(outcomes[1], "granted").grants;
    assert.deepEqual([first.length, second.length], [3, 2]);
    assert.equal(new Set([...first, ...second].map(({ record }) => record.name)).size, 5);
  });

  test("an acquire is filled though its first finds were cancelled in the same batch", async () => {
    const w = world();
    await w.run(w.openSession());
    const names: string[] = [];
    for (let made = 0; made < 4; made++) {
      names.push((await w.started()).name);
      w.harness.advance(1);
    }
    const [a, b] = names.map((name) => w.cancel({ service: w.service, tenant: w.tenant, name }));
    const { outcomes } = await w.commit(a!, b!, w.acquire(2));
    assert.deepEqual(
      expectOutcome(outcomes[2], "granted").grants.map(({ record }) => record.name),
      names.slice(2),
    );
  });

  for (const ending of ["tick", "tickDue", "start"] as const) {
    test(`an acquire is filled though a ${ending} of the same batch has ended its first find`, async () => {
      const w = world();
      const first = await w.started({ policy: { ...policy, unwatchedMs: 1000 }, supersedeKey: "one" });
      w.harness.advance(2 * SECOND);
      const next = await w.started();
      w.harness.advance(1);
      const commands: Record<typeof ending, Command> = {
        tick: { type: "tick", key: keyOf(first) },
        tickDue: { type: "tickDue", limit: 1000 },
        start: w.start({ supersedeKey: "one", startAfter: w.store.clock.now() + 60_000_000 }),
      };
      const { outcomes } = await w.commit(w.openSession(), commands[ending], w.acquire(1));
      const { grants } = expectOutcome(outcomes[2], "granted");
      assert.deepEqual(
        grants.map(({ record }) => record.name),
        [next.name],
      );
      assert.equal((await w.get(first))?.record.state, "CANCELLED");
    });
  }

  test("an operation is not granted before its start, nor after its deadline", async () => {
    const w = world();
    const now = w.store.clock.now();
    await w.commit(
      w.openSession(),
      w.start({ startAfter: now + 5_000_000 }),
      w.start({ deadline: now + 1_000_000 }),
    );
    w.harness.advance(2 * SECOND);
    assert.deepEqual(await grantedNames(w, 10), []);
    w.harness.advance(4 * SECOND);
    assert.equal((await grantedNames(w, 10)).length, 1);
  });

  test("a session that is not open gets nothing and beats nothing", async () => {
    const w = world();
    await w.started();
    expectRefused(await w.run(w.acquire(1)), "SESSION_UNKNOWN");
    expectRefused(await w.run({ type: "heartbeat", session: w.session }), "SESSION_UNKNOWN");
    await w.run(w.openSession());
    expectOutcome(await w.run({ type: "heartbeat", session: w.session }), "session");
  });

  test("sessions are listed until they are closed, also after the store was opened again", async () => {
    const w = world();
    await w.run(w.openSession());
    await w.harness.reopen();
    const mine = async (): Promise<unknown[]> =>
      (await w.store.listSessions())
        .filter(({ session }) => session === w.session)
        .map(({ kind, bootId }) => [kind, bootId]);
    assert.deepEqual(await mine(), [["embedded", "boot"]]);
    await w.run({ type: "closeSession", session: w.session, survivors: [] });
    assert.deepEqual(await mine(), []);
  });

  test("closing a session settles all that it held, and nothing of others", async () => {
    const w = world();
    const other = `${w.session}-b`;
    const twice = { policy: { ...policy, maxAttempts: 2 } };
    await w.commit(w.openSession(), w.openSession(other), w.start(twice), w.start(), w.start());
    const mine = expectOutcome(await w.run(w.acquire(2)), "granted").grants;
    const theirs = expectOutcome(await w.run(w.acquire(1, { session: other })), "granted").grants;
    const outcome = await w.run({ type: "closeSession", session: w.session, survivors: [] });
    assert.equal(expectOutcome(outcome, "settled").count, 2);
    const states = await Promise.all(
      [...mine, ...theirs].map(async (grant) => (await w.get(grant.record)).record.state),
    );
    assert.deepEqual(states.slice(0, 2).sort(), ["FAILED", "PENDING"]);
    assert.equal(states[2], "RUNNING");
  });

  test("closing a session reaches what it holds after an unconfirmed stop", async () => {
    const w = world();
    const grant = await w.running();
    await w.run(w.cancel(grant.record, { graceMs: 0 }));
    w.harness.advance(10 * SECOND);
    await w.run({ type: "tick", key: keyOf(grant.record) });
    await w.run({ type: "closeSession", session: w.session, survivors: [] });
    const { record } = await w.get(grant.record);
    assert.equal(record.held, null);
    assert.equal(record.cancel?.evidence, "LEASE_EXPIRED");
  });

  test("an attempt whose time ran out is held, also after the store was opened again, until it is known to have ended", async () => {
    const w = world();
    const grant = await w.running({ policy: { ...policy, maxAttempts: 2, attemptTimeoutMs: 5000 } });
    w.harness.advance(5 * SECOND);
    await w.run({ type: "tick", key: keyOf(grant.record) });
    await w.harness.reopen();
    assert.deepEqual((await w.get(grant.record)).record.held, grant.record.lease);
    w.harness.advance(4 * SECOND);
    assert.deepEqual(await grantedNames(w, 1), []);
    const stopped = {
      type: "stopped",
      ...fencedBy(grant),
      evidence: "HANDLER_STOPPED",
      mechanism: "SIGNAL",
    } as const;
    expectOutcome(await w.run(stopped), "late");
    assert.equal((await w.get(grant.record)).record.held, null);
    w.harness.advance(SECOND);
    assert.deepEqual(await grantedNames(w, 1), [grant.record.name]);
  });

  test("an attempt that was held is cancelled with evidence, and recorded once", async () => {
    const w = world();
    const grant = await w.running({ policy: { ...policy, maxAttempts: 2, attemptTimeoutMs: 5000 } });
    w.harness.advance(5 * SECOND);
    await w.run({ type: "tick", key: keyOf(grant.record) });
    assert.equal(expectOutcome(await w.run(w.cancel(grant.record)), "cancel").verdict, "STOPPING");
    await w.run({ type: "closeSession", session: w.session, survivors: [] });
    const { record } = await w.get(grant.record);
    assert.equal(record.state, "CANCELLED");
    assert.equal(record.cancel?.evidence, "LEASE_EXPIRED");
    const detail = await w.store.getOperationDetail(keyOf(grant.record));
    assert.deepEqual(
      detail?.attempts.map(({ outcome }) => outcome),
      ["TIMED_OUT"],
    );
    assert.equal((await w.store.getReceipt(keyOf(grant.record)))?.session, w.session);
  });

  test("tickDue finds deadlines and timeouts that are due, the earliest first", async () => {
    const w = world();
    await w.run({ type: "tickDue", limit: 1000 }); // what other tests left
    const now = w.store.clock.now();
    const late = await w.started({ deadline: now + 2_000_000 });
    const early = await w.started({ deadline: now + 1_000_000 });
    const never = await w.started();
    w.harness.advance(3 * SECOND);
    await w.run({ type: "tickDue", limit: 1 });
    assert.equal((await w.get(early)).record.state, "FAILED");
    assert.equal((await w.get(late)).record.state, "PENDING");
    await w.run({ type: "tickDue", limit: 100 });
    assert.equal((await w.get(late)).record.state, "FAILED");
    assert.equal((await w.get(never)).record.state, "PENDING");
  });

  test("a failed attempt that may run again waits for its backoff", async () => {
    const w = world();
    const grant = await w.running({ policy: { ...policy, maxAttempts: 2, backoffMs: 4000 } });
    await w.run(w.fail(grant, { retryable: true }));
    assert.deepEqual(await grantedNames(w, 1), []);
    w.harness.advance(4 * SECOND);
    assert.deepEqual(await grantedNames(w, 1), [grant.record.name]);
    const detail = await w.store.getOperationDetail(keyOf(grant.record));
    assert.equal(detail?.attempts.length, 1);
    assert.equal(detail?.attempts[0]?.outcome, "RETRIED");
    assert.deepEqual(detail?.attempts[0]?.error, w.fail(grant).error);
  });

  test("a report with an old lease token is refused and changes nothing", async () => {
    const w = world();
    const grant = await w.running({ policy: { ...policy, maxAttempts: 2 } });
    await w.run({ type: "release", ...fencedBy(grant) });
    await w.run(w.acquire(1));
    const before = await w.get(grant.record);
    expectRefused(await w.run(w.complete(grant)), "LEASE_LOST");
    assert.deepEqual(await w.get(grant.record), before);
  });

  test("a repeated report of the same result is accepted, also long after", async () => {
    const w = world();
    const grant = await w.running();
    await w.run(w.complete(grant));
    await w.harness.reopen();
    assert.equal(expectOutcome(await w.run(w.complete(grant)), "operation").changed, false);
    expectRefused(await w.run(w.complete(grant, { digest: "another" })), "ALREADY_DONE");
  });
}
