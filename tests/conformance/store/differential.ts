// Random batches of commands, run by the store and by `decide` over maps in memory: rows, answers, events and receipts
// must be the same. The maps are the dumbest store there is.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Instant } from "../../../src/base/clock.ts";
import type { Command, CommandOutcome } from "../../../src/engine/commands.ts";
import { decide } from "../../../src/engine/decide.ts";
import {
  type Decision,
  keyText,
  type ReadSet,
  type RequestKeyRecord,
  requestKeyText,
  type SessionRecord,
} from "../../../src/engine/decision.ts";
import {
  type AttemptRecord,
  nextTimer,
  type OperationKey,
  type OperationRecord,
  type Payload,
  type ReceiptEvent,
} from "../../../src/engine/operation.ts";
import type { CommitResult } from "../../../src/engine/store.ts";
import { keyOf, payload, policy, type World } from "./store-harness.ts";

/** Everything in maps; targets are found by looking at every operation. */
class MemoryModel {
  readonly operations = new Map<string, OperationRecord>();
  readonly requestKeys = new Map<string, RequestKeyRecord>();
  readonly sessions = new Map<string, SessionRecord>();
  readonly payloads = new Map<string, Payload>();
  readonly attempts = new Map<string, AttemptRecord[]>();
  readonly receipts = new Map<string, ReceiptEvent[]>();
  readonly events: { name: string; revision: number; state: string }[] = [];

  commit(commands: readonly Command[], now: Instant): readonly CommandOutcome[] {
    const decision = decide(this.#readSet(commands, now), commands, now);
    // Before the writes: a grant carries the checkpoint that its attempt begins with.
    const outcomes = decision.outcomes.map((outcome): CommandOutcome => {
      if (outcome.type !== "granted") return outcome;
      const grants = outcome.grants.map(({ record }) => ({
        record,
        request: this.payloadOf(record, "request"),
        checkpoint: this.payloadOf(record, "checkpoint"),
      }));
      return { type: "granted", grants };
    });
    this.#apply(decision);
    return outcomes;
  }

  payloadOf(key: OperationKey, kind: string): Payload | null {
    return this.payloads.get(`${keyText(key)}\n${kind}`) ?? null;
  }

  #readSet(commands: readonly Command[], now: Instant): ReadSet {
    const targets = new Map<number, readonly OperationKey[]>();
    const given = new Set<OperationRecord>();
    for (const [index, command] of commands.entries()) {
      const found = this.#targets(command, now).filter(
        (record) => command.type !== "acquire" || !given.has(record),
      );
      if (command.type === "acquire") {
        const takers = commands
          .slice(0, index)
          .filter(({ type }) => ["cancel", "delete", "assign"].includes(type));
        found.splice(command.limit + takers.length);
        for (const record of found) given.add(record);
      }
      targets.set(index, found);
    }
    return { operations: this.operations, requestKeys: this.requestKeys, sessions: this.sessions, targets };
  }

  #targets(command: Command, now: Instant): OperationRecord[] {
    const all = [...this.operations.values()];
    if (command.type === "acquire") {
      return all
        .filter(
          ({ state, lease, type }) => state === "PENDING" && lease === null && command.types.includes(type),
        )
        .filter(({ startAfter, deadline }) => startAfter <= now && (deadline === null || deadline > now))
        .sort((a, b) => a.startAfter - b.startAfter);
    }
    if (command.type === "tickDue") {
      const timerOf = (record: OperationRecord): Instant => nextTimer(record) ?? Number.POSITIVE_INFINITY;
      return all.filter((record) => timerOf(record) <= now).sort((a, b) => timerOf(a) - timerOf(b));
    }
    if (command.type !== "closeSession") return [];
    const leased = all.filter(({ lease }) => lease?.session === command.session);
    return [...leased, ...all.filter(({ held }) => held?.session === command.session)];
  }

  #apply(decision: Decision): void {
    for (const { record } of decision.inserted) this.operations.set(keyText(record), record);
    for (const record of decision.updated) this.operations.set(keyText(record), record);
    for (const write of decision.payloads)
      this.payloads.set(`${keyText(write)}\n${write.kind}`, write.payload);
    for (const write of decision.attempts) append(this.attempts, keyText(write), write.attempt);
    for (const write of decision.receipts) append(this.receipts, keyText(write), write.event);
    for (const key of decision.requestKeys) this.requestKeys.set(requestKeyText(key), key);
    for (const session of decision.sessionsOpened) this.sessions.set(session.session, session);
    for (const { session, heartbeatTime } of decision.sessionsBeaten) {
      const known = this.sessions.get(session);
      if (known) this.sessions.set(session, { ...known, heartbeatTime });
    }
    for (const session of decision.sessionsClosed) this.sessions.delete(session);
    for (const { name, revision, state } of decision.events) this.events.push({ name, revision, state });
  }
}

function append<T>(lists: Map<string, T[]>, key: string, value: T): void {
  lists.set(key, [...(lists.get(key) ?? []), value]);
}

/** A step before it knows the names of its run: 3 operations, 2 sessions, tokens around the current one. */
interface Step {
  kind: string;
  operation: number;
  session: number;
  token: number;
  flag: boolean;
  number: number;
}

const kinds = [
  ...["start", "start", "start", "acquire", "acquire", "assign", "begin", "return", "release", "progress"],
  ...[
    "checkpoint",
    "cancelPhase",
    "complete",
    "fail",
    "fail",
    "stopped",
    "cancel",
    "cancel",
    "delete",
    "expireLease",
  ],
  ...["tick", "openSession", "openSession", "heartbeat", "closeSession", "tickDue"],
];

const stepArbitrary: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...kinds),
  operation: fc.nat({ max: 2 }),
  session: fc.nat({ max: 1 }),
  token: fc.integer({ min: 1, max: 3 }),
  flag: fc.boolean(),
  number: fc.nat({ max: 3 }),
});

/** Times between batches: within a grace, across a backoff, beyond every timeout. */
const batchArbitrary = fc.record({
  advanceMs: fc.constantFrom(0, 1, 900, 1100, 7000, 40_000),
  steps: fc.array(stepArbitrary, { minLength: 1, maxLength: 5 }),
});

class Run {
  readonly world: World;
  readonly #names: readonly string[];

  constructor(world: World) {
    this.world = world;
    this.#names = [0, 1, 2].map((index) => `operations/${world.tenant}-${index}`);
  }

  keys(): OperationKey[] {
    return this.#names.map((name) => ({ service: this.world.service, tenant: this.world.tenant, name }));
  }

  command(step: Step): Command {
    const { world } = this;
    const key = this.keys()[step.operation]!;
    const session = `${world.session}-${step.session}`;
    const fenced = { key, session, token: step.token };
    const { flag, number } = step;
    const stop = { evidence: "HANDLER_STOPPED", mechanism: "SIGNAL" } as const;
    switch (step.kind) {
      case "start":
        return this.#start(step);
      case "acquire":
        return {
          type: "acquire",
          session,
          types: [world.type],
          limit: number,
          guarded: flag,
          begin: number > 1,
        };
      case "assign":
        return { type: "assign", key, session, guarded: flag, begin: number > 1 };
      case "begin":
      case "return":
      case "release":
        return { type: step.kind, ...fenced };
      case "progress":
        return { type: "progress", ...fenced, progress: { percent: number * 12.5, message: `${number}` } };
      case "checkpoint":
        return { type: "checkpoint", ...fenced, checkpoint: payload(`checkpoint ${number}`) };
      case "cancelPhase":
        return { type: "cancelPhase", ...fenced, phase: flag ? "DELIVERED" : "ESCALATED", detail: "d" };
      case "complete":
        return {
          type: "complete",
          ...fenced,
          response: payload(`response ${number}`),
          digest: `digest ${number}`,
        };
      case "fail": {
        const error = { code: number, message: "m", details: flag ? [payload("detail")] : [] };
        return {
          type: "fail",
          ...fenced,
          error,
          retryable: flag,
          abortCaused: number > 2,
          ...stop,
          digest: "f",
        };
      }
      case "stopped":
        return { type: "stopped", ...fenced, ...stop };
      case "cancel":
        return world.cancel(key, { graceMs: flag ? number * 500 : null, includeDeleted: number > 1 });
      case "delete":
        return world.delete(key);
      case "expireLease":
        return { type: "expireLease", key, session, survived: flag };
      case "tick":
        return { type: "tick", key };
      case "openSession":
        return world.openSession(session);
      case "heartbeat":
        return { type: "heartbeat", session };
      case "closeSession":
        return { type: "closeSession", session, survivors: flag ? [key.name] : [] };
      default:
        return { type: "tickDue", limit: 1000 };
    }
  }

  #start({ operation, flag, number }: Step): Command {
    const { world } = this;
    const retried = {
      ...policy,
      maxAttempts: 1 + number,
      attemptTimeoutMs: 30_000,
      stallTimeoutMs: flag ? 5000 : 0,
    };
    const onDelete = (["keep", "cancel", "refuse", "keep"] as const)[number] ?? "keep";
    const requestKey = { method: "m", requestId: `r${operation}`, digest: `d${number % 2}` };
    return world.start({
      name: this.#names[operation]!,
      id: `opr${world.tenant}${operation}`,
      labels: flag ? { k: `${number}` } : {},
      policy: {
        ...retried,
        onDelete,
        cancel: { ...policy.cancel, cancellable: number !== 3, criticalMs: number * 100 },
      },
      deadline: flag ? world.store.clock.now() + number * 3_000_000 + 1 : null,
      metadata: flag ? payload("metadata") : null,
      requestKey: number === 1 ? requestKey : null,
    });
  }
}

/** tickDue is one for the whole store: other runs' operations are not this run's business. */
function comparable(outcomes: CommitResult["outcomes"], commands: readonly Command[]): unknown[] {
  return outcomes.map((outcome, index) => (commands[index]?.type === "tickDue" ? outcome.type : outcome));
}

async function assertSame(run: Run, model: MemoryModel): Promise<void> {
  const { store, harness, tenant } = run.world;
  for (const key of run.keys()) {
    const text = keyText(key);
    const record = model.operations.get(text);
    const detail = await store.getOperationDetail(key);
    assert.deepEqual(detail?.record, record);
    assert.deepEqual((await store.getOperation(key))?.record, record);
    if (!detail || !record) continue;
    for (const kind of ["request", "response", "metadata", "checkpoint"] as const) {
      assert.deepEqual(detail[kind], model.payloadOf(key, kind), kind);
    }
    assert.deepEqual(detail.attempts, model.attempts.get(text) ?? []);
    const receipt = await store.getReceipt(key);
    assert.deepEqual(receipt?.events ?? [], model.receipts.get(text) ?? []);
    assert.deepEqual(receipt?.cancel ?? null, record.cancel);
    assert.deepEqual(keyOf(receipt ?? key), key);
  }
  const feed = await harness.feed(tenant);
  assert.deepEqual(
    feed.map(({ name, revision, state }) => ({ name, revision, state })),
    model.events,
  );
}

export function exerciseDifferential(world: () => World): void {
  test("random batches leave the same rows and answers as decide over maps in memory", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(batchArbitrary, { minLength: 1, maxLength: 12 }), async (batches) => {
        const run = new Run(world());
        const model = new MemoryModel();
        for (const { advanceMs, steps } of batches) {
          run.world.harness.advance(advanceMs);
          const commands = steps.map((step) => run.command(step));
          const expected = model.commit(commands, run.world.store.clock.now());
          const { outcomes } = await run.world.store.commit(commands);
          assert.deepEqual(comparable(outcomes, commands), comparable(expected, commands));
        }
        await assertSame(run, model);
      }),
      { numRuns: 300 },
    );
  });
}
