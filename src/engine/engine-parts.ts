// What the engine is made of, put together: who commits, who is told of what a commit changed, and in which order.
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Command, CommandOutcome } from "./commands.ts";
import { Committer } from "./committer.ts";
import { keyText } from "./decision.ts";
import type { Commit } from "./engine-metrics.ts";
import { EngineObservers } from "./engine-observers.ts";
import { FeedHub } from "./feed-hub.ts";
import { EngineMaintenance } from "./maintenance/engine-maintenance.ts";
import { isDone, type OperationRecord, type StoredOperation } from "./operation.ts";
import { OperationTypes } from "./operation-types.ts";
import type { ReceiptKeys } from "./receipts/receipt-keys.ts";
import { SessionDirectory } from "./session-directory.ts";
import type { Store } from "./store.ts";
import { Waiters } from "./waiters.ts";
import { WatchPresence } from "./watch-presence.ts";

export interface EngineOptions {
  store: Store;
  logger: Logger;
  /** Default none: receipts are kept, and not chained. */
  receiptKeys?: ReceiptKeys | null;
}

export class EngineParts {
  readonly store: Store;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly waiters: Waiters = new Waiters();
  readonly types: OperationTypes;
  readonly sessions: SessionDirectory;
  readonly presence: WatchPresence;
  readonly feed: FeedHub;
  readonly maintenance: EngineMaintenance;
  readonly observers: EngineObservers;
  readonly #committer: Committer;

  constructor({ store, logger, receiptKeys = null }: EngineOptions) {
    const { clock } = store;
    const submit = (command: Command): Promise<CommandOutcome> => this.submit(command);
    this.store = store;
    this.logger = logger;
    this.clock = clock;
    this.types = new OperationTypes(store);
    this.#committer = new Committer(
      store,
      (changed) => this.#changed(changed),
      ({ grants }) => this.sessions.granted(grants),
      (commit) => {
        this.#logFailures(commit);
        this.observers.committed(commit);
      },
    );
    this.presence = new WatchPresence({
      clock,
      logger,
      read: (key) => store.peekOperation(key) ?? store.getOperation(key),
      renew: (key) => submit({ type: "watched", key }),
    });
    this.sessions = new SessionDirectory({
      clock,
      store,
      submit,
      leaseBegun: (leaseMs) => this.maintenance.leases.leaseBegun(leaseMs),
    });
    this.maintenance = new EngineMaintenance({ store, logger, submit, sessions: this.sessions });
    this.feed = new FeedHub({ store, commits: this.#committer, hold: (keys) => this.presence.holdAll(keys) });
    const figures = { waiters: () => this.waiters.count, watchers: () => this.feed.count };
    this.observers = new EngineObservers({ store, logger, keys: receiptKeys, figures });
  }

  /** A command that breaks its transaction is a bug: its caller is told to try again, so the log is where it is seen. */
  #logFailures({ commands, outcomes }: Commit): void {
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.type !== "failed" || outcome.reason === "STORAGE_FULL") continue;
      const command = commands[index]?.type;
      this.logger.error({ command, cause: outcome.message }, "a command could not be committed");
    }
  }

  /** Rejects with STORAGE_FULL or STORAGE_UNAVAILABLE when the outcome is not known to be durable. */
  submit(command: Command): Promise<CommandOutcome> {
    return this.#committer.submit(command);
  }

  /** After every commit: what it changed reaches waiters, sessions and timers, before any caller is answered. */
  #changed(changed: readonly StoredOperation[]): void {
    const now = this.clock.now();
    const readyTypes = new Set<string>();
    for (const { record } of changed) {
      const text = keyText(record);
      if (isDone(record.state) || record.deleteTime !== null) this.waiters.wake(text);
      this.sessions.changed(record, text);
      this.maintenance.changed(record, text);
      this.feed.changed(record, text);
      if (record.lease !== null) continue;
      const isPending = record.state === "PENDING";
      if (isPending && record.startAfter > now) this.maintenance.startsAt(record.startAfter);
      // What is not pending may have freed a slot for which others of its type wait.
      else if (isPending || hasLimit(record)) readyTypes.add(record.type);
    }
    if (readyTypes.size > 0) this.sessions.workMayBeReady(readyTypes);
    this.feed.settled();
  }
}

function hasLimit({ policy }: OperationRecord): boolean {
  return policy.typeLimit > 0 || policy.keyLimit > 0;
}
