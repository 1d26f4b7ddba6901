// Two batches at a time, each on a lane of its own: while one waits for its commit to be durable, the other is read and
// decided. Batches that touch the same operation keep their order, and answers come in the order of calls.
import type { Command } from "../../engine/commands.ts";
import { keyText } from "../../engine/decision.ts";
import type { OperationKey } from "../../engine/operation.ts";
import { CommitLane, type LaneCommit, type LaneOptions } from "./commit-lane.ts";
import { HeldOperations } from "./held-operations.ts";
import { HeldSessions } from "./held-sessions.ts";

/** The committer sends no third batch before one of two is answered. */
export const LANES = 2;

interface InFlight {
  /** What its commands name, by keyText; null: it may touch anything. */
  keys: ReadonlySet<string> | null;
  lane: number;
  /** Resolves when it has ended, however that was. */
  ended: Promise<unknown>;
}

export class CommitLanes {
  readonly #held = new HeldOperations();
  readonly #lanes: readonly CommitLane[];
  readonly #inFlight = new Set<InFlight>();
  #lastAnswer: Promise<unknown> = Promise.resolve();

  constructor(options: Omit<LaneOptions, "held" | "heldSessions">) {
    const lane = { ...options, held: this.#held, heldSessions: new HeldSessions() };
    this.#lanes = Array.from({ length: LANES }, () => new CommitLane(lane));
  }

  /** See Store.commit. */
  async commit(commands: readonly Command[]): Promise<LaneCommit> {
    const keys = this.#keysOf(commands);
    const before = [...this.#inFlight].filter((other) => isOrdered(keys, other.keys));
    const lane = this.#freest(before);
    const waits = before.filter((other) => other.lane !== lane).map(({ ended }) => ended);
    const result = Promise.all(waits).then(() => this.#lanes[lane]?.commit(commands));
    const entry = { keys, lane, ended: result.catch(() => undefined) };
    this.#inFlight.add(entry);
    void entry.ended.then(() => this.#inFlight.delete(entry));
    // A later batch may be durable first: who waits for both is told in the order in which they were sent.
    const previous = this.#lastAnswer;
    this.#lastAnswer = Promise.all([previous, entry.ended]);
    await Promise.all([previous, entry.ended]);
    return (await result) as LaneCommit;
  }

  /** Another process has changed operations. */
  forget(keys: readonly OperationKey[]): void {
    for (const key of keys) this.#held.drop(key);
  }

  /** Waits for the batches that are under way. */
  async close(): Promise<void> {
    await this.#lastAnswer;
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }

  /** Where those before it are, or else the one with the fewest. */
  #freest(before: readonly InFlight[]): number {
    const [first] = before;
    if (first) return first.lane;
    const counts = this.#lanes.map(
      (_, lane) => [...this.#inFlight].filter((other) => other.lane === lane).length,
    );
    return counts.indexOf(Math.min(...counts));
  }

  /** The operations that commands name, with the parents of those that this process holds. */
  #keysOf(commands: readonly Command[]): ReadonlySet<string> | null {
    const keys = new Set<string>();
    for (const command of commands) {
      switch (command.type) {
        case "closeSession":
        case "expireSessions":
        case "restartWatch":
          // What they touch is found by the store.
          return null;
        case "openSession":
        case "heartbeat":
        case "acquire":
          // Two acquires of only what their own batches start do not meet.
          if (command.type !== "acquire" || !command.onlyStarted) keys.add(command.session);
          break;
        case "tickDue":
        case "sweepChildren":
          break;
        default: {
          const text = keyText(command.key);
          keys.add(text);
          const parents = this.#held.get(text)?.stored.record.parents ?? [];
          for (const { service, name } of parents)
            keys.add(keyText({ service, tenant: command.key.tenant, name }));
          if (command.type !== "start") break;
          if (command.supersedeKey !== "") return null;
          if (command.parentAttempt) keys.add(keyText(command.parentAttempt.key));
          if (command.requestKey)
            keys.add(`${command.key.service}\n${command.key.tenant}\n${command.requestKey.requestId}\n`);
        }
      }
    }
    return keys;
  }
}

function isOrdered(a: ReadonlySet<string> | null, b: ReadonlySet<string> | null): boolean {
  if (a === null || b === null) return true;
  for (const key of a) if (b.has(key)) return true;
  return false;
}
