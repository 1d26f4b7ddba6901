// Commits batches, one after the other, on one connection: read, decide, write. Says what each failure means for the batch:
// tried again, taken apart, answered as failed, or as unknown.
import { type Clock, type Instant, monotonicMs } from "../../base/clock.ts";
import { randomFraction } from "../../base/random.ts";
import { RpcError } from "../../base/rpc-error.ts";
import { delay } from "../../base/timers.ts";
import type { Command, CommandOutcome } from "../../engine/commands.ts";
import { decide } from "../../engine/decide.ts";
import { keyText } from "../../engine/decision.ts";
import type { CommitFailure, CommitResult } from "../../engine/store.ts";
import { changedBy, merged as mergedResult, withPayloads } from "../commit-result.ts";
import { decisionSteps } from "./decision-writer.ts";
import type { HeldOperations } from "./held-operations.ts";
import type { HeldSessions } from "./held-sessions.ts";
import type { PostgresConnection } from "./postgres-connection.ts";
import { describePostgresError, postgresFailure, sqlState, UnknownOutcome } from "./postgres-failure.ts";
import { type PostgresPool, unavailable } from "./postgres-pool.ts";
import { keyArrays, type LoadedReadSet, type LoadMode, loadReadSet, payloadsOf } from "./read-set.ts";
import { payloadsByKey } from "./read-statements.ts";

/** How long a batch is tried again before it is answered as failed. */
const RETRY_MS = 5000;
/** After that many lost races a batch waits a little each time. */
const RACES_AT_ONCE = 3;
const RACES_MAX = 50;
const PAUSE_MS = 20;
/** A result type that has changed under a prepared statement: after a migration. */
const PLAN_CHANGED = "0A000";

/** What was committed, and where its events are in the feed. */
export interface LaneCommit extends CommitResult {
  positions: readonly { first: number; last: number }[];
}

export interface LaneOptions {
  pool: PostgresPool;
  clock: Clock & { readonly toleranceUs?: number };
  /** Shared by the lanes of a store. */
  held: HeldOperations;
  heldSessions: HeldSessions;
}

export class CommitLane {
  readonly #pool: PostgresPool;
  readonly #clock: LaneOptions["clock"];
  readonly #held: HeldOperations;
  readonly #heldSessions: HeldSessions;
  #connection: PostgresConnection | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor({ pool, clock, held, heldSessions }: LaneOptions) {
    this.#held = held;
    this.#heldSessions = heldSessions;
    this.#pool = pool;
    this.#clock = clock;
  }

  /** Commits a batch behind those before it. See Store.commit. */
  commit(commands: readonly Command[]): Promise<LaneCommit> {
    const result = this.#last.then(() => this.#commit(commands));
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Waits for the batches that are under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#last;
    await this.#connection?.close();
  }

  async #commit(commands: readonly Command[]): Promise<LaneCommit> {
    try {
      return await this.#tried(commands);
    } catch (error) {
      if (error instanceof RpcError) throw error;
      switch (postgresFailure(error)) {
        case "command":
        case "taken":
          return await this.#takenApart(commands, error);
        case "full":
          throw new RpcError("STORAGE_FULL", {}, { cause: error });
        default:
          throw unavailable(error);
      }
    }
  }

  /** One of these commands breaks the transaction: it is found by halves, and fails alone. */
  async #takenApart(commands: readonly Command[], error: unknown): Promise<LaneCommit> {
    if (commands.length === 1) return failed(commands, describePostgresError(error));
    const middle = Math.ceil(commands.length / 2);
    const first = await this.#commit(commands.slice(0, middle));
    const rest = commands.slice(middle);
    try {
      return merged(first, await this.#commit(rest));
    } catch (problem) {
      // The first half is committed: what stops this one is told by its outcomes.
      const isFull = problem instanceof RpcError && problem.reason === "STORAGE_FULL";
      return merged(first, failed(rest, describePostgresError(problem), isFull));
    }
  }

  /** Tries a batch until it is committed, or for good reason not. */
  async #tried(commands: readonly Command[]): Promise<LaneCommit> {
    const until = monotonicMs() + RETRY_MS;
    let mode: LoadMode = "hopeful";
    for (let races = 0; ; ) {
      try {
        return await this.#transact(commands, mode);
      } catch (error) {
        const failure = postgresFailure(error);
        await this.#cleanUp(error);
        if (error instanceof RpcError || error instanceof UnknownOutcome) throw error;
        if (failure === "command" || failure === "full") throw error;
        if (failure === "taken" && mode === "careful" && races >= RACES_AT_ONCE) throw error;
        if (races >= RACES_MAX || monotonicMs() > until) throw error;
        if (failure === "race" || failure === "taken") {
          races++;
          mode = "careful";
        }
        if (races > RACES_AT_ONCE || failure === "busy") await delay(PAUSE_MS * randomFraction());
      }
    }
  }

  /** After a failure nothing that is remembered is sure. */
  async #cleanUp(error: unknown): Promise<void> {
    this.#forgetAll();
    if (sqlState(error) === PLAN_CHANGED) this.#connection?.destroy();
    if (this.#connection?.isBroken === false) await this.#connection.rollback();
  }

  async #transact(commands: readonly Command[], mode: LoadMode): Promise<LaneCommit> {
    const connection = await this.#connected();
    const loaded = await loadReadSet({
      commands,
      mode,
      held: this.#held,
      heldSessions: this.#heldSessions,
      now: this.#clock.now(),
      toleranceUs: this.#clock.toleranceUs ?? 0,
      ask: (steps) => (connection.inTransaction ? connection.burst(steps) : connection.begin(steps)),
    });
    const now = this.#decisionTime(loaded);
    const decision = decide(loaded, commands, now);
    if (mode === "hopeful" && !areAllNew(commands, decision.outcomes)) {
      if (connection.inTransaction) await connection.rollback();
      return this.#transact(commands, "careful");
    }
    // Granted rows are locked: their payloads are read as they are now, on the way of the commit.
    const bare = decision.updated.filter((record) => loaded.bare.has(keyText(record)));
    const steps = [
      ...(bare.length > 0 ? [{ statement: payloadsByKey, values: keyArrays(bare) }] : []),
      ...decisionSteps(decision, loaded, now),
    ];
    const written =
      steps.length === 0 && !connection.inTransaction
        ? []
        : connection.inTransaction
          ? await connection.commit(steps)
          : await connection.burst(steps);
    const payloads = payloadsOf(bare.length > 0 ? (written[0] ?? []) : []);
    const changed = changedBy(decision, loaded.stored, payloads);
    this.#held.committed(changed, (text) => (loaded.versions.get(text) ?? 0) + 1);
    this.#heldSessions.committed(commands, loaded.sessions, decision);
    const count = decision.events.length;
    const last = count > 0 ? (written[steps.length - 1]?.[0]?.[0] as number) : 0;
    return {
      outcomes: decision.outcomes.map((outcome) => withPayloads(outcome, payloads)),
      changed,
      positions: count > 0 ? [{ first: last - count + 1, last }] : [],
    };
  }

  #forgetAll(): void {
    this.#held.clear();
    this.#heldSessions.clear();
  }

  /** What another node made ready, by a clock that is a little ahead, is ready. */
  #decisionTime({ bare }: LoadedReadSet): Instant {
    let now = this.#clock.now();
    for (const { startAfter } of bare.values()) now = Math.max(now, startAfter);
    return now;
  }

  async #connected(): Promise<PostgresConnection> {
    if (this.#isClosed && this.#connection === null) throw new RpcError("SHUTTING_DOWN");
    if (this.#connection === null || this.#connection.isBroken) {
      this.#connection = null;
      this.#forgetAll();
      this.#connection = await this.#pool.connect(true);
    }
    return this.#connection;
  }
}

/**
 * Hope takes starts as new without a look, and the database says so where one is not: its row is taken. A start that inserts
 * nothing is told by nobody:
 *
 *   start X with request id r -> start X with r again, beside a report on X: X is loaded for the report, r is not, and the
 *   start would be refused because of the name, where the request id has an answer.
 */
function areAllNew(commands: readonly Command[], outcomes: readonly CommandOutcome[]): boolean {
  return commands.every((command, index) => {
    if (command.type !== "start") return true;
    const outcome = outcomes[index];
    return outcome?.type === "operation" && outcome.changed;
  });
}

function failed(commands: readonly Command[], message: string, isFull = false): LaneCommit {
  const failure: CommitFailure = isFull
    ? { type: "failed", reason: "STORAGE_FULL", message }
    : { type: "failed", message };
  return { outcomes: commands.map(() => failure), changed: [], positions: [] };
}

/** Two commits, one after the other, as one. */
function merged(first: LaneCommit, second: LaneCommit): LaneCommit {
  return { ...mergedResult(first, second), positions: [...first.positions, ...second.positions] };
}
