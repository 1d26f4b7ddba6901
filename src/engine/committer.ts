// Group commit: one transaction carries every command that arrived while the last one was committing. No delay is
// added when idle: a lone command is committed at once. Several databases have one each (spread-committer.ts).

import { monotonicMs } from "../base/clock.ts";
import { RpcError } from "../base/rpc-error.ts";
import type { AcquireCommand, Command, CommandOutcome, StartCommand } from "./commands.ts";
import { keyText } from "./decision.ts";
import type { Commit } from "./engine-metrics.ts";
import type { OperationKey, StoredOperation } from "./operation.ts";
import type { Store } from "./store.ts";

/**
 * More than this in one transaction only adds latency: the fsync is long paid for. And 500 in flight must not fit into one: the
 * store would wait for this thread and this thread for the store, in turn (with 512: 6,400 lives a second on SQLite and 3,700
 * on PostgreSQL; with 256: 6,900 and 4,000).
 */
const BATCH_MAX = 256;

/**
 * With this many commands waiting, the next transaction is sent while one is committing, so that the writer finds it
 * when it is done and does not wait for this thread, which is busy with the last one's outcomes (a profile of whole
 * lives showed the writer idle for a quarter of the time). With fewer, waiting for more saves fsyncs.
 */
const SEND_AHEAD_MIN = 128;
const IN_FLIGHT_MAX = 2;

type GrantedOutcome = Extract<CommandOutcome, { type: "granted" }>;

/** An outcome with the operation of its command as it stands after the batch, where the batch changed it. */
export interface FoundOutcome {
  outcome: CommandOutcome;
  stored: StoredOperation | undefined;
}

interface Waiting {
  command: Command;
  resolve(outcome: CommandOutcome, batch: ChangedBatch): void;
  reject(error: unknown): void;
}

/** What a batch changed, by key: made when somebody asks. */
class ChangedBatch {
  readonly #changed: readonly StoredOperation[];
  #byKey: Map<string, StoredOperation> | null = null;

  constructor(changed: readonly StoredOperation[]) {
    this.#changed = changed;
  }

  find(key: OperationKey): StoredOperation | undefined {
    this.#byKey ??= new Map(this.#changed.map((stored) => [keyText(stored.record), stored]));
    return this.#byKey.get(keyText(key));
  }
}

/** Batches that were sent, and how many of the first of them were answered: both only grow. */
export class CommitCount {
  /** Those under way, by their number; the oldest first. */
  readonly #open = new Set<number>();
  #sent = 0;
  #settled = 0;

  /** Batches that were sent to the store. */
  get sent(): number {
    return this.#sent;
  }

  /** So many of the first batches were answered, the failed ones too, and their changes are being handed out or were. */
  get settled(): number {
    return this.#settled;
  }

  /** Answers the batch's number. */
  begin(): number {
    this.#open.add(++this.#sent);
    return this.#sent;
  }

  end(number: number): void {
    this.#open.delete(number);
    const [oldest = this.#sent + 1] = this.#open;
    this.#settled = oldest - 1;
  }
}

/** A committer among several. */
export interface CommitterPlace {
  /** See `Store.places`. */
  place: number;
  /** Of all of them. */
  count: CommitCount;
}

interface StartsListener {
  beforeStarts?: (started: ReadonlyMap<string, number>) => void;
}

/** It may be granted in the batch that starts it: who uses the slots of a limit only the store can count. */
function startsAtOnce({ startAfter, policy: { typeLimit, keyLimit } }: StartCommand): boolean {
  return startAfter === 0 && typeLimit === 0 && keyLimit === 0;
}

/** Queues commands for the store and hands out their outcomes once they are durable (G9). */
export class Committer {
  /** Its batches. */
  readonly count: CommitCount;
  readonly #place: number;
  readonly #store: Pick<Store, "commit">;
  readonly #onChanged: (changed: readonly StoredOperation[]) => void;
  readonly #onGranted: (outcome: GrantedOutcome) => void;
  readonly #onCommit: (commit: Commit) => void;
  readonly #beforeStarts: (started: ReadonlyMap<string, number>) => void;
  #queue: Waiting[] = [];
  #heartbeats: Waiting[] = [];
  #acquires: Waiting[] = [];
  #inFlight = 0;
  #scheduled = false;

  /**
   * After each commit, before its outcomes are handed out: first every grant, then every change. A waiter never lags
   * behind a reply, and a cancel never meets a session that does not know yet what it was granted. `beforeStarts` hears how
   * many operations of each type a batch is going to start at once, and may submit acquires that go with it.
   */
  constructor(
    store: Pick<Store, "commit">,
    onChanged: (changed: readonly StoredOperation[]) => void,
    onGranted: (outcome: GrantedOutcome) => void,
    onCommit: (commit: Commit) => void = () => {},
    {
      place = 0,
      count = new CommitCount(),
      beforeStarts = () => {},
    }: Partial<CommitterPlace> & StartsListener = {},
  ) {
    this.#store = store;
    this.#place = place;
    this.count = count;
    this.#onChanged = onChanged;
    this.#onGranted = onGranted;
    this.#onCommit = onCommit;
    this.#beforeStarts = beforeStarts;
  }

  /** Commands that are not sent to the store yet, heartbeats left out. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Rejects with STORAGE_FULL or STORAGE_UNAVAILABLE when the outcome is not known to be durable. */
  submit(command: Command): Promise<CommandOutcome> {
    return new Promise((resolve, reject) => this.#add({ command, resolve, reject }));
  }

  /** As `submit`; an operation that the commit changed need not be read for its answer. */
  submitFound(command: Command, key: OperationKey): Promise<FoundOutcome> {
    return new Promise((resolve, reject) => {
      this.#add({
        command,
        resolve: (outcome, batch) => resolve({ outcome, stored: batch.find(key) }),
        reject,
      });
    });
  }

  #add(waiting: Waiting): void {
    // A heartbeat goes first: it depends on nothing in the queue, and a lease must not pass because its worker has
    // thousands of reports waiting before it.
    this.#queueOf(waiting.command).push(waiting);
    // A microtask later, so that all commands of this turn of the event loop share the transaction.
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #queueOf({ type }: Command): Waiting[] {
    if (type === "heartbeat") return this.#heartbeats;
    return type === "acquire" ? this.#acquires : this.#queue;
  }

  #send(): void {
    while (
      this.#queue.length + this.#heartbeats.length + this.#acquires.length > 0 &&
      (this.#inFlight === 0 || this.#maySendAhead())
    ) {
      if (this.#asked >= SEND_AHEAD_MIN && this.#queue.length >= SEND_AHEAD_MIN) {
        // Both are large: the store may do them at the same time, and neither waits for the other's rows.
        void this.#commit(this.#acquires.splice(0));
        continue;
      }
      // Heartbeats among themselves keep their order: of two streams of one session the later one counts.
      const heartbeats = this.#heartbeats.splice(0, BATCH_MAX);
      const others = this.#queue.splice(0, BATCH_MAX - heartbeats.length);
      this.#tellStarts(others);
      // Behind the starts: what a batch starts it can grant, so that both are one write and one wait for the disk.
      void this.#commit([...heartbeats, ...others, ...this.#acquires.splice(0)]);
    }
  }

  /** What the acquires that wait would take: as much for the store as the same number of commands. */
  get #asked(): number {
    return this.#acquires.reduce((sum, { command }) => sum + (command as AcquireCommand).limit, 0);
  }

  #tellStarts(batch: readonly Waiting[]): void {
    const started = new Map<string, number>();
    for (const { command } of batch) {
      if (command.type !== "start" || !startsAtOnce(command)) continue;
      started.set(command.operationType, (started.get(command.operationType) ?? 0) + 1);
    }
    if (started.size > 0) this.#beforeStarts(started);
  }

  #maySendAhead(): boolean {
    return this.#inFlight < IN_FLIGHT_MAX && this.#queue.length + this.#asked >= SEND_AHEAD_MIN;
  }

  /** The store answers in the order of its calls, so outcomes and changes are handed out in the order of commits. */
  async #commit(batch: readonly Waiting[]): Promise<void> {
    this.#inFlight++;
    const number = this.count.begin();
    const commands = batch.map((waiting) => waiting.command);
    const startMs = monotonicMs();
    try {
      const result = await this.#store.commit(commands);
      this.count.end(number);
      this.#onCommit({ commands, ...result, durationMs: monotonicMs() - startMs, place: this.#place });
      for (const outcome of result.outcomes) if (outcome.type === "granted") this.#onGranted(outcome);
      this.#onChanged(result.changed);
      const changed = new ChangedBatch(result.changed);
      let next = 0;
      for (const waiting of batch) {
        const outcome = result.outcomes[next++];
        if (outcome && outcome.type !== "failed") waiting.resolve(outcome, changed);
        else
          waiting.reject(
            new RpcError(outcome?.reason ?? "STORAGE_UNAVAILABLE", {}, { cause: outcome?.message }),
          );
      }
    } catch (error) {
      this.count.end(number);
      for (const waiting of batch) waiting.reject(error);
    } finally {
      this.#inFlight--;
      this.#send();
    }
  }
}
