// A store that several processes share: what two of them do at the same moment, and whose a session is.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RemoteChange, Store } from "../../../src/engine/store.ts";
import { eventually } from "../../postgres/postgres-server.ts";
import type { PostgresHarness } from "./postgres-harness.ts";
import { expectOutcome, expectRefused, keyOf, policy, World } from "./store-harness.ts";

/** Defines the tests; `pair` answers the harness and a second node on its database. */
export function exerciseTwoNodes(pair: () => { harness: PostgresHarness; other: Store }): void {
  test("two nodes that acquire at once grant nothing twice, and keep to a limit", async () => {
    const { harness, other } = pair();
    const w = new World(harness);
    const limited = { policy: { ...policy, typeLimit: 7 } };
    for (const sessions of [`${w.session}-a`, `${w.session}-b`]) await w.run(w.openSession(sessions));
    await w.commit(...Array.from({ length: 30 }, () => w.start(limited)));
    const acquire = async (store: Store, session: string): Promise<string[]> => {
      const { outcomes } = await store.commit([w.acquire(4, { session })]);
      return expectOutcome(outcomes[0], "granted").grants.map(({ record }) => record.name);
    };
    const rounds = [1, 2, 3].flatMap(() => [
      acquire(w.store, `${w.session}-a`),
      acquire(other, `${w.session}-b`),
    ]);
    const names = (await Promise.all(rounds)).flat();
    assert.equal(new Set(names).size, names.length);
    assert(names.length <= 7, `${names.length} of at most 7`);
    const slot = { service: w.service, tenant: w.tenant, type: w.type, concurrencyKey: "" };
    assert.equal((await w.store.slotUsers(slot, 100)).used, names.length);
  });

  test("a cancel on one node and the end on another: the first wins on both", async () => {
    const { harness, other } = pair();
    const w = new World(harness);
    for (let round = 0; round < 15; round++) {
      const grant = await w.running();
      const [cancelled, completed] = await Promise.all([
        other.commit([w.cancel(grant.record)]),
        w.commit(w.complete(grant)),
      ]);
      const { verdict } = expectOutcome(cancelled.outcomes[0], "cancel");
      const { record } = expectOutcome(completed.outcomes[0], "operation");
      // A success with a live lease stands, before and after the request.
      assert.equal(record.state, "SUCCEEDED");
      assert.equal(record.cancel === null, verdict === "TOO_LATE_SUCCEEDED");
      for (const store of [w.store, other]) {
        assert.deepEqual((await store.getOperation(keyOf(record)))?.record, record);
      }
    }
  });

  test("one request id at two nodes at once makes one operation", async () => {
    const { harness, other } = pair();
    const w = new World(harness);
    for (let round = 0; round < 10; round++) {
      const requestKey = { method: "start", requestId: `${w.tenant}-${round}`, digest: "d" };
      const both = await Promise.all(
        [w.store, other].map((store) => store.commit([w.start({ requestKey })])),
      );
      const names = both.map(({ outcomes }) => expectOutcome(outcomes[0], "operation").record.name);
      assert.equal(names[0], names[1]);
    }
    assert.equal((await w.names()).length, 10);
  });

  test("what one node commits is told to the other, in the order of the feed, each change", async () => {
    const { harness, other } = pair();
    const w = new World(harness);
    const heard: RemoteChange[] = [];
    const following = other.follow({ changed: (changes) => heard.push(...changes), ready: () => {} });
    const record = await w.done();
    await w.run(w.delete(record));
    const mine = (): RemoteChange[] => heard.filter(({ name }) => name === record.name);
    await eventually("all is told", async () => mine().length >= 4);
    following.close();
    assert.deepEqual(
      mine().map(({ revision, state, type, isDeleted }) => ({ revision, state, type, isDeleted })),
      [
        { revision: 1, state: "PENDING", type: w.type, isDeleted: false },
        { revision: 2, state: "RUNNING", type: w.type, isDeleted: false },
        { revision: 3, state: "SUCCEEDED", type: w.type, isDeleted: false },
        { revision: 4, state: "SUCCEEDED", type: w.type, isDeleted: true },
      ],
    );
  });

  test("a session that came to another node is acquired for, and kept alive, there alone", async () => {
    const { harness, other } = pair();
    const w = new World(harness);
    const { session } = w;
    await w.commit(w.openSession(session, { kind: "remote", leaseMs: 15_000, node: "a" }), w.start());
    const beat = { type: "heartbeat", session } as const;
    const ofBatch = w.acquire(1, { onlyStarted: true, node: "a" });
    await w.commit(w.start(), ofBatch);
    const commitThere = async (command: Parameters<World["run"]>[0]) =>
      (await other.commit([command])).outcomes[0];
    expectRefused(await commitThere({ ...beat, node: "b" }), "SESSION_MOVED");
    const moved = await commitThere({ ...beat, node: "b", takesOver: true });
    assert.equal(expectOutcome(moved, "session").hasMoved, true);
    const acquire = {
      type: "acquire",
      session,
      types: [w.type],
      limit: 1,
      guarded: true,
      begin: true,
    } as const;
    const { outcomes } = await w.commit(w.start(), ofBatch);
    expectRefused(outcomes[1], "SESSION_MOVED");
    assert.equal(expectOutcome(outcomes[0], "operation").record.state, "PENDING");
    expectRefused(await w.run({ ...acquire, node: "a" }), "SESSION_MOVED");
    expectRefused(await w.run({ ...beat, node: "a" }), "SESSION_MOVED");
    assert.equal(expectOutcome(await commitThere({ ...acquire, node: "b" }), "granted").grants.length, 1);
    const [stored] = (await w.store.listSessions()).filter((open) => open.session === session);
    assert.equal(stored?.node, "b");
  });

  test("a session that another node closes is given nothing more by the node that remembers it", async () => {
    const { harness, other } = pair();
    const w = new World(harness);
    for (let round = 0; round < 30; round++) {
      const session = `${w.session}-${round}`;
      const acquire = w.acquire(1, { session, onlyStarted: true });
      await w.commit(w.openSession(session), w.start(), acquire);
      const last = w.start();
      await Promise.all([
        w.commit(last, acquire),
        other.commit([{ type: "closeSession", session, survivors: [] }]),
      ]);
      const { record } = await w.get(last.key);
      assert.equal(record.lease, null, `of the closed session ${session}`);
    }
  });
}
