// Whole lives of operations through a PostgresStore that loses its database again and again. Each command is repeated until it
// is answered, as clients and workers do; then the database itself is asked what became of them.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { RpcError } from "../../src/base/rpc-error.ts";
import { delay } from "../../src/base/timers.ts";
import type { Command, CommandOutcome, CompleteCommand } from "../../src/engine/commands.ts";
import type { OperationRecord } from "../../src/engine/operation.ts";
import type { CommitFailure, Store } from "../../src/engine/store.ts";
import { keyOf, payload, World } from "../conformance/store/store-harness.ts";
import type { TestDatabases } from "../postgres/test-databases.ts";

type Outcome = CommandOutcome | CommitFailure;

/** What the lives of one load came to. */
export interface LifeReport {
  lives: number;
  /** Commits without an answer that says what became of them. */
  unknown: number;
  /** The longest time from the first call of a command to its answer. */
  slowestMs: number;
}

/** Lives in a world of their own, on one store. */
export class PostgresLoad {
  readonly world: World;
  readonly report: LifeReport = { lives: 0, unknown: 0, slowestMs: 0 };
  readonly #store: Store;
  /** The name by request id, and how it must end. */
  readonly #lives = new Map<string, { name: string; state: "SUCCEEDED" | "CANCELLED" }>();

  constructor(store: Store) {
    this.#store = store;
    this.world = new World({
      store,
      advance: () => assert.fail("this clock is the database's"),
      reopen: () => assert.fail("not in a load"),
      feed: async () => [],
      audit: async () => [],
      dispose: async () => {},
    });
  }

  /** Runs `loops` lives side by side, again and again until `isStopped` says so; every life is lived to its end. */
  async run(loops: number, isStopped: () => boolean): Promise<void> {
    await this.#answered(() => this.world.openSession());
    const loop = async (): Promise<void> => {
      while (!isStopped()) await this.#live();
    };
    await Promise.all(Array.from({ length: loops }, loop));
  }

  async #live(): Promise<void> {
    const { world } = this;
    const requestId = randomUUID();
    const requestKey = { method: "start", requestId, digest: "d" };
    // Another name each time, as the server makes it: the request id alone tells that it is the same.
    const started = await this.#answered(() => world.start({ requestKey }));
    assert(started.type === "operation", JSON.stringify(started));
    const { record } = started;
    const state = this.report.lives % 3 === 0 ? "CANCELLED" : "SUCCEEDED";
    this.#lives.set(requestId, { name: record.name, state });
    if (state === "SUCCEEDED") await this.#complete(await this.#leased(record));
    else await this.#answered(() => world.cancel(record));
    this.report.lives++;
  }

  /** Its record with a begun lease: also where the answer that granted it was lost. */
  async #leased(record: OperationRecord): Promise<OperationRecord> {
    const { session } = this.world;
    const assign: Command = { type: "assign", key: keyOf(record), session, guarded: true, begin: true };
    const outcome = await this.#answered(() => assign);
    if (outcome.type === "granted" && outcome.grants[0]) return outcome.grants[0].record;
    const stored = await this.#read(record);
    assert.equal(stored?.lease?.session, session, `${JSON.stringify(outcome)} for ${JSON.stringify(stored)}`);
    return stored;
  }

  async #complete(record: OperationRecord): Promise<void> {
    const complete: CompleteCommand = {
      ...{ type: "complete", key: keyOf(record), session: this.world.session, token: record.leaseToken },
      ...{ response: payload("response"), digest: "digest" },
    };
    const outcome = await this.#answered(() => complete);
    // S12: told twice, it is the same answer.
    assert.equal(outcome.type, "operation", JSON.stringify(outcome));
  }

  async #read(record: OperationRecord): Promise<OperationRecord | undefined> {
    for (;;) {
      try {
        return (await this.#store.getOperation(keyOf(record)))?.record;
      } catch (error) {
        await tolerated(error);
      }
    }
  }

  /** Repeats a command until the store says what became of it. */
  async #answered(make: () => Command): Promise<Outcome> {
    const begun = performance.now();
    for (;;) {
      try {
        const { outcomes } = await this.#store.commit([make()]);
        const [outcome] = outcomes;
        assert(outcome && outcome.type !== "failed", JSON.stringify(outcome));
        this.report.slowestMs = Math.max(this.report.slowestMs, Math.round(performance.now() - begun));
        return outcome;
      } catch (error) {
        await tolerated(error);
        this.report.unknown++;
      }
    }
  }

  /** Asks the database itself: one operation for each request id, as it was answered; a feed without a gap. */
  async check(databases: TestDatabases, database: string): Promise<void> {
    assert(this.report.lives > 0);
    const rows = await databases.query(
      `SELECT request_id, name, state FROM operations JOIN request_keys USING (service, tenant, name)
        WHERE tenant = $1`,
      [this.world.tenant],
      database,
    );
    const stored = new Map(rows.map(({ request_id, name, state }) => [request_id, { name, state }]));
    assert.deepEqual(stored, new Map(this.#lives), "one operation for each request id, ended as answered");
    const counted = "SELECT count(*)::integer AS count FROM operations WHERE tenant = $1";
    const [all] = await databases.query(counted, [this.world.tenant], database);
    assert.equal(all?.["count"], this.#lives.size, "no operation without a request id");
    await assertFeedIsWhole(databases, database);
  }
}

/** S17: positions without a gap, and of each operation every revision once, in order. */
export async function assertFeedIsWhole(databases: TestDatabases, database: string): Promise<void> {
  const gaps = `SELECT position FROM (
      SELECT position, position - cardinality(names) AS begins, lag(position) OVER (ORDER BY position) AS previous FROM feed
    ) AS rows WHERE previous IS NOT NULL AND begins <> previous`;
  assert.deepEqual(await databases.query(gaps, [], database), [], "positions have no gap");
  const disorder = `SELECT name, told FROM (
      SELECT coalesce(services[event], services[1]) AS service, coalesce(tenants[event], tenants[1]) AS tenant,
        names[event] AS name, array_agg(coalesce(revisions[event], revisions[1]) ORDER BY position, event) AS told
      FROM feed, generate_subscripts(names, 1) AS event GROUP BY 1, 2, 3
    ) AS operations WHERE told <> (SELECT array_agg(revision) FROM generate_series(1, cardinality(told)::BIGINT) AS revision)`;
  assert.deepEqual(
    await databases.query(disorder, [], database),
    [],
    "every revision is told once, in order",
  );
}

/** Nothing but UNAVAILABLE may come of a lost database. */
async function tolerated(error: unknown): Promise<void> {
  if (!(error instanceof RpcError && error.reason === "STORAGE_UNAVAILABLE")) throw error;
  await delay(5);
}
