// Random batches of commands, run by the store and by `decide` over maps in memory: rows, answers, events, receipts,
// slots, links and counts must be the same.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Command, StartCommand } from "../../../src/engine/commands.ts";
import type { OperationKey } from "../../../src/engine/operation.ts";
import { assertSame, comparable } from "./differential-compare.ts";
import { MemoryModel } from "./memory-model.ts";
import { payload, policy, type World } from "./store-harness.ts";

/** Operations of one run: enough to block one another, and for parents with children of their own. */
const OPERATIONS = 5;

/** A step before it knows the names of its run: 5 operations, 2 sessions, tokens around the current one. */
export interface Step {
  kind: string;
  operation: number;
  session: number;
  token: number;
  flag: boolean;
  number: number;
  /** Of a start: what it asks for beside the number. */
  rule: (typeof rules)[number];
  /** Of a child: whose. */
  parent: number;
}

export const rules = [
  "none",
  "typeLimit",
  "keyLimit",
  "bothLimits",
  "supersede",
  "unwatched",
  "child",
  "sharedChild",
] as const;

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
  ...["start", "start", "acquire", "acquire", "openSession", "begin", "complete", "override", "watched"],
  ...["expireSessions", "sweepChildren", "sweepChildren", "restartWatch", "forceCancel"],
];

export const stepArbitrary: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...kinds),
  operation: fc.nat({ max: OPERATIONS - 1 }),
  session: fc.nat({ max: 1 }),
  token: fc.constantFrom(1, 1, 1, 2, 2, 3),
  flag: fc.boolean(),
  number: fc.nat({ max: 3 }),
  rule: fc.constantFrom(...rules),
  parent: fc.nat({ max: OPERATIONS - 1 }),
});

/** Times between batches: within a grace, across a backoff, beyond every timeout. */
export const batchArbitrary = fc.record({
  advanceMs: fc.constantFrom(0, 1, 900, 1100, 7000, 40_000),
  steps: fc.array(stepArbitrary, { minLength: 1, maxLength: 5 }),
});

/** What may make a granted operation pending again at once. */
const givesBack = new Set(["release", "return", "closeSession", "expireLease", "expireSessions", "override"]);

const phases = ["DELIVERED", "DEFERRED", "CUT", "ESCALATED"] as const;

/** Makes the commands of one random run in a world. */
export class Run {
  readonly world: World;
  readonly #names: readonly string[];

  constructor(world: World) {
    this.world = world;
    this.#names = Array.from({ length: OPERATIONS }, (_, index) => `operations/${world.tenant}-${index}`);
  }

  keys(): OperationKey[] {
    return this.#names.map((name) => ({ service: this.world.service, tenant: this.world.tenant, name }));
  }

  /**
   * The commands of a batch. An acquire finds nothing that was granted and given back earlier in its own batch, since a store
   * looks before it decides; no worker can do so, as it hears of a grant after the commit.
   */
  batch(steps: readonly Step[]): Command[] {
    const grantedAt = steps.findIndex(({ kind }) => kind === "acquire");
    const givenBackAt = steps.findIndex(({ kind }, index) => index > grantedAt && givesBack.has(kind));
    const isBlind = grantedAt !== -1 && givenBackAt !== -1;
    return steps
      .filter(({ kind }, index) => !(isBlind && index > givenBackAt && kind === "acquire"))
      .map((step) => this.#command(step));
  }

  #command(step: Step): Command {
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
          onlyStarted: step.rule === "supersede" || step.rule === "child",
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
        return {
          type: "cancelPhase",
          ...fenced,
          phase: phases[number] ?? "DELIVERED",
          detail: flag ? "d" : "e",
        };
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
          steps: [{ phase: "DELIVERED", detail: "", agoMs: number * 100 }],
        };
      }
      case "stopped":
        return {
          type: "stopped",
          ...fenced,
          ...stop,
          ...(flag && { steps: phases.map((phase) => ({ phase, detail: "s", agoMs: 100 })) }),
        };
      case "cancel":
        return world.cancel(key, { graceMs: flag ? number * 500 : null, includeDeleted: number > 1 });
      case "delete":
        return world.delete(key);
      case "expireLease":
        return { type: "expireLease", key, session, survived: flag };
      case "tick":
        return { type: "tick", key };
      case "forceCancel":
        return world.cancel(key, {
          force: true,
          onBehalfOf: "user:eve",
          ifRevision: flag ? number + 1 : null,
        });
      case "override": {
        const by = {
          requestedBy: "user:op",
          onBehalfOf: "",
          requestId: "req-2",
          reason: "gone",
          origin: "native/rest",
        };
        return { type: "override", key, ...by };
      }
      case "watched":
        return { type: "watched", key };
      case "expireSessions":
      case "sweepChildren":
        return { type: step.kind, limit: 1000 };
      case "restartWatch":
        return { type: "restartWatch", before: world.store.clock.now() + number * 1_000_000, limit: 1000 };
      case "openSession":
        // An embedded one has a timed lease where several processes share the store.
        return world.openSession(session, {
          kind: flag ? "remote" : "embedded",
          leaseMs: flag || number > 2 ? 500 + 1000 * number : 0,
        });
      case "heartbeat":
        return { type: "heartbeat", session };
      case "closeSession":
        return { type: "closeSession", session, survivors: flag ? [key.name] : [] };
      default:
        return { type: "tickDue", limit: 1000 };
    }
  }

  #start(step: Step): Command {
    const { operation, flag, number, rule, parent } = step;
    const { world } = this;
    const onDelete = (["keep", "cancel", "refuse", "keep"] as const)[number] ?? "keep";
    const requestKey = { method: "m", requestId: `r${operation}`, digest: `d${number % 2}` };
    return world.start({
      name: this.#names[operation]!,
      id: `opr${world.tenant}${operation}`,
      labels: flag ? { k: `${number}` } : {},
      policy: {
        ...policy,
        maxAttempts: 1 + number,
        attemptTimeoutMs: 30_000,
        stallTimeoutMs: flag ? 5000 : 0,
        onDelete,
        cancel: { ...policy.cancel, cancellable: number !== 3, criticalMs: number * 100 },
        typeLimit: rule === "typeLimit" || rule === "bothLimits" ? 1 + (number % 2) : 0,
        keyLimit: rule === "keyLimit" || rule === "bothLimits" ? 1 : 0,
        unwatchedMs: rule === "unwatched" ? 2000 : 0,
      },
      // Ties have no order.
      startAfter: world.store.clock.now() + operation,
      priority: number - 1,
      concurrencyKey: flag || rule === "bothLimits" ? "key" : "",
      supersedeKey: rule === "supersede" ? "only one" : "",
      parentAttempt:
        rule === "child" || rule === "sharedChild" ? this.#attempt(step, this.keys()[parent]!) : null,
      shared: rule === "sharedChild",
      deadline: flag ? world.store.clock.now() + number * 3_000_000 + 1 : null,
      metadata: flag ? payload("metadata") : null,
      requestKey: number === 1 || rule === "sharedChild" ? requestKey : null,
    });
  }

  #attempt(
    { session, token, number, flag }: Step,
    key: OperationKey,
  ): NonNullable<StartCommand["parentAttempt"]> {
    const chosen = (["cancel", "cancel", "wait", "abandon"] as const)[number] ?? "cancel";
    // A child that is waited for has a deadline of its own.
    const policyOfChild = chosen === "wait" && !flag ? "cancel" : chosen;
    return { key, session: `${this.world.session}-${session}`, token, policy: policyOfChild };
  }
}

/** How many random runs `npm test` makes. */
const RUNS = 150;

export function exerciseDifferential(world: () => World): void {
  test("random batches leave the same rows and answers as decide over maps in memory", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(batchArbitrary, { minLength: 1, maxLength: 12 }), async (batches) => {
        const run = new Run(world());
        const model = new MemoryModel();
        for (const { advanceMs, steps } of batches) {
          run.world.harness.advance(advanceMs);
          const commands = run.batch(steps);
          const expected = model.commit(commands, run.world.store.clock.now());
          const { outcomes } = await run.world.store.commit(commands);
          assert.deepEqual(comparable(outcomes, commands), comparable(expected, commands));
        }
        await assertSame(run.world, model, run.keys());
      }),
      { numRuns: RUNS },
    );
  });
}
