// Two nodes on one database that write the same operations at the same time: lost races, shared limits, families.
import assert from "node:assert/strict";
import test from "node:test";
import type { Command, Grant } from "../../../src/engine/commands.ts";
import {
  familyViolations,
  slotViolations,
  unsweptViolations,
} from "../../../src/engine/invariants/families.ts";
import type { OperationKey, OperationRecord } from "../../../src/engine/operation.ts";
import type { Store } from "../../../src/engine/store.ts";
import { PostgresHarness } from "./postgres-harness.ts";
import { fencedBy, policy, World } from "./store-harness.ts";

const ROUNDS = 12;
const STARTS = 12;

/** One node's part of the load: its own session, and operations that both nodes may take, cancel and delete. */
class NodeLoad {
  readonly #world: World;
  readonly #store: Store;
  readonly #session: string;
  readonly #keys: OperationKey[];
  readonly granted: Grant[] = [];
  readonly outcomes = new Map<string, number>();
  #running: Grant[] = [];

  constructor(world: World, store: Store, session: string, keys: OperationKey[]) {
    this.#world = world;
    this.#store = store;
    this.#session = session;
    this.#keys = keys;
  }

  async open(): Promise<void> {
    await this.#store.commit([this.#world.openSession(this.#session)]);
  }

  /** Starts, children, cancels of anybody's operations, an acquire, and reports, in two commits at once. */
  async round(number: number): Promise<void> {
    const world = this.#world;
    const limits = { ...policy, maxAttempts: 2, typeLimit: 20, keyLimit: 2, backoffMs: 0 };
    const starts = Array.from({ length: STARTS }, (_, index) =>
      world.start({ policy: limits, concurrencyKey: `key-${index % 5}`, priority: index % 3 }),
    );
    this.#keys.push(...starts.map(({ key }) => key));
    const targets = [number * 7, number * 11, number * 13].map((at) => this.#keys[at % this.#keys.length]!);
    const cancels = targets.map((key) => world.cancel(key));
    const [done, held] = [this.#running.slice(0, 6), this.#running.slice(6)];
    const reports = done.flatMap((grant, index): Command[] => {
      const child = world.start({
        policy: limits,
        parentAttempt: {
          key: grant.record,
          session: this.#session,
          token: grant.record.leaseToken,
          policy: index % 2 === 0 ? "cancel" : "wait",
        },
        deadline: world.store.clock.now() + 3_600_000_000,
      });
      this.#keys.push(child.key);
      const end: Command = index % 3 === 0 ? world.fail(grant, { retryable: true }) : world.complete(grant);
      return index % 2 === 0
        ? [child, { ...end, ...this.#fence(grant) }]
        : [{ ...end, ...this.#fence(grant) }];
    });
    this.#running = held;
    const acquire = world.acquire(8, { session: this.#session });
    const results = await Promise.all([
      this.#store.commit([...starts, ...reports, ...cancels]),
      this.#store.commit([{ type: "sweepChildren", limit: 10 }, acquire]),
    ]);
    for (const { outcomes } of results) {
      for (const outcome of outcomes) {
        assert.notEqual(outcome.type, "failed", JSON.stringify(outcome));
        this.outcomes.set(outcome.type, (this.outcomes.get(outcome.type) ?? 0) + 1);
        if (outcome.type === "granted") {
          this.#running.push(...outcome.grants);
          this.granted.push(...outcome.grants);
        }
      }
    }
  }

  #fence(grant: Grant): { session: string; token: number } {
    const { token } = fencedBy(grant);
    return { session: this.#session, token };
  }
}

async function recordsOf(store: Store, keys: readonly OperationKey[]): Promise<OperationRecord[]> {
  const found = await Promise.all(keys.map((key) => store.getOperation(key)));
  return found.flatMap((stored) => stored?.record ?? []);
}

test("two nodes that write the same operations lose no write, share limits, and grant nothing twice", async () => {
  const harness = await PostgresHarness.open();
  const other = await harness.openNode();
  try {
    const world = new World(harness);
    const keys: OperationKey[] = [];
    const nodes = [harness.store, other].map(
      (store, index) => new NodeLoad(world, store, `${world.session}-${index}`, keys),
    );
    for (const node of nodes) await node.open();
    for (let number = 1; number <= ROUNDS; number++)
      await Promise.all(nodes.map((node) => node.round(number)));

    const granted = nodes.flatMap((node) => node.granted);
    const leases = granted.map(({ record }) => `${record.name} ${record.leaseToken}`);
    assert.equal(new Set(leases).size, leases.length, "no lease is granted twice");
    assert(granted.length > ROUNDS, "both nodes were granted work");

    while ((await sweep(other)) > 0);
    const operations = await recordsOf(other, keys);
    const slots = await harness.slots(world.tenant);
    assert.deepEqual(slotViolations({ operations, slots }), []);
    assert.deepEqual(familyViolations({ operations, slots }), []);
    assert.deepEqual(unsweptViolations({ operations, slots }), []);
    await assertFeedIsWhole(harness, world.tenant, operations);
  } finally {
    await other.close();
    await harness.dispose();
  }
});

async function sweep(store: Store): Promise<number> {
  const { outcomes } = await store.commit([{ type: "sweepChildren", limit: 100 }]);
  const [outcome] = outcomes;
  return outcome?.type === "settled" ? outcome.count : 0;
}

/** Positions without a gap, and of each operation every revision once, in order, up to the one that it has. */
async function assertFeedIsWhole(
  harness: PostgresHarness,
  tenant: string,
  operations: readonly OperationRecord[],
): Promise<void> {
  const feed = await harness.feed(tenant);
  assert.deepEqual(
    feed.map(({ position }) => position),
    feed.map((_, index) => index + 1),
  );
  const revisions = new Map<string, number>();
  for (const { name, revision } of feed) {
    assert.equal(revision, (revisions.get(name) ?? 0) + 1, `${name} has one event for each revision`);
    revisions.set(name, revision);
  }
  for (const { name, revision } of operations) assert.equal(revisions.get(name), revision);
}

test("of two nodes that report the same attempt one is told that it was late", async () => {
  const harness = await PostgresHarness.open();
  const other = await harness.openNode();
  try {
    const world = new World(harness);
    const grant = await world.running();
    const before = await harness.feed(world.tenant);
    const [ended, cancelled] = await Promise.all([
      harness.store.commit([world.complete(grant)]),
      other.commit([world.cancel(grant.record)]),
    ]);
    const stored = await other.getOperation(grant.record);
    assert.equal(stored?.record.state, "SUCCEEDED");
    assert.notEqual(ended.outcomes[0]?.type, "failed");
    assert.notEqual(cancelled.outcomes[0]?.type, "failed");
    const after = await harness.feed(world.tenant);
    assert(after.length > before.length);
  } finally {
    await other.close();
    await harness.dispose();
  }
});

test("an operation that another node has changed is not written from memory", async () => {
  const harness = await PostgresHarness.open();
  const other = await harness.openNode();
  try {
    const world = new World(harness);
    const grant = await world.running();
    await other.commit([world.cancel(grant.record)]);
    const progress: Command = {
      type: "progress",
      ...fencedBy(grant),
      progress: { percent: 50, message: "half" },
    };
    const { outcomes } = await harness.store.commit([progress]);
    assert.equal(outcomes[0]?.type, "operation");
    const record = outcomes[0]?.type === "operation" ? outcomes[0].record : null;
    assert.equal(record?.state, "CANCELLING", "the cancel is seen");
    await other.commit([{ type: "closeSession", session: world.session, survivors: [] }]);
    const late = await harness.store.commit([world.complete(grant)]);
    assert.equal(late.outcomes[0]?.type, "refused", "the session is gone");
  } finally {
    await other.close();
    await harness.dispose();
  }
});
