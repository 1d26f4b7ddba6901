// What the engine is made of, put together: who commits, who is told of what a commit changed, and in which order.
import type { Clock } from "../base/clock.ts";
import { makeId } from "../base/ids.ts";
import type { Logger } from "../base/logger.ts";
import type { Command, CommandOutcome, Grant } from "./commands.ts";
import { type CommitCount, Committer, type FoundOutcome } from "./committer.ts";
import { keyText } from "./decision.ts";
import type { Commit } from "./engine-metrics.ts";
import { EngineObservers } from "./engine-observers.ts";
import { FeedHub } from "./feed-hub.ts";
import { EngineMaintenance } from "./maintenance/engine-maintenance.ts";
import { isDone, type OperationKey, type OperationRecord, type StoredOperation } from "./operation.ts";
import { OperationTypes } from "./operation-types.ts";
import type { ReceiptKeys } from "./receipts/receipt-keys.ts";
import { RemoteChanges } from "./remote-changes.ts";
import { SessionDirectory } from "./session-directory.ts";
import { SpreadCommitter } from "./spread-committer.ts";
import type { OrderElsewhere } from "./stand-in.ts";
import type { Store } from "./store.ts";
import { Waiters } from "./waiters.ts";
import { WatchPresence } from "./watch-presence.ts";

export interface EngineOptions {
  store: Store;
  logger: Logger;
  /** Default none: receipts are kept, and not chained. */
  receiptKeys?: ReceiptKeys | null;
  /**
   * This process among those that share the store: unique among the running ones, and the same after a restart on the same
   * data folder. Default: a new one. Of no meaning where the store is not shared.
   */
  node?: string;
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
  /** This process among those that share the store; undefined where it is not shared. */
  readonly node: string | undefined;
  readonly remote: RemoteChanges;
  /** Null as long as nobody runs children in other databases. */
  orderElsewhere: OrderElsewhere | null = null;
  readonly #committer: Committer | SpreadCommitter;
  #following: { close(): void } | null = null;

  constructor({ store, logger, receiptKeys = null, node }: EngineOptions) {
    const { clock } = store;
    this.node = store.isShared ? (node ?? makeId("nod", clock.now())) : undefined;
    const submit = (command: Command): Promise<CommandOutcome> => this.submit(command);
    this.store = store;
    this.logger = logger;
    this.clock = clock;
    this.types = new OperationTypes(store, logger);
    this.#committer = this.#committerOf(store);
    this.presence = new WatchPresence({
      clock,
      logger,
      read: (key) => store.peekOperation(key) ?? store.getOperation(key),
      renew: (key) => submit({ type: "watched", key }),
    });
    this.sessions = new SessionDirectory({
      clock,
      logger,
      store,
      node: this.node,
      submit,
      leaseBegun: (leaseMs) => this.maintenance.leases.leaseBegun(leaseMs),
      lookAt: (keys) => this.remote.lookAt(keys),
    });
    this.maintenance = new EngineMaintenance({
      ...{ store, logger, submit, sessions: this.sessions, node: this.node },
    });
    const commits: CommitCount = this.#committer.count;
    this.feed = new FeedHub({ store, commits, hold: (keys) => this.presence.holdAll(keys) });
    this.remote = new RemoteChanges({
      ...{ store, clock, logger, commits, waiters: this.waiters, sessions: this.sessions, feed: this.feed },
      endedElsewhere: (text) => this.maintenance.endedElsewhere(text),
      startsAt: (instant) => this.maintenance.startsAt(instant),
    });
    const figures = { waiters: () => this.waiters.count, watchers: () => this.feed.count };
    this.observers = new EngineObservers({ store, logger, keys: receiptKeys, figures });
  }

  #committerOf(store: Store): Committer | SpreadCommitter {
    const { places } = store;
    const listeners = [
      (changed: readonly StoredOperation[]) => this.#changed(changed),
      ({ grants }: { grants: readonly Grant[] }) => this.#granted(grants),
      (commit: Commit) => {
        this.#logFailures(commit);
        this.observers.committed(commit);
      },
    ] as const;
    if (places === null) {
      const beforeStarts = (started: ReadonlyMap<string, number>): void => this.sessions.takeStarted(started);
      return new Committer(store, ...listeners, { beforeStarts });
    }
    // Of several databases each is asked for a share of the slots: an acquire cannot go with the starts of one.
    return new SpreadCommitter(
      places,
      (each, place) => new Committer(each, ...listeners, place),
      () => this.sessions,
    );
  }

  /** A command that breaks its transaction is a bug: its caller is told to try again, so the log is where it is seen. */
  #logFailures({ commands, outcomes }: Commit): void {
    let next = 0;
    for (const outcome of outcomes) {
      const command = commands[next++]?.type;
      if (outcome.type !== "failed" || outcome.reason === "STORAGE_FULL") continue;
      this.logger.error({ command, cause: outcome.message }, "a command could not be committed");
    }
  }

  /** Rejects with STORAGE_FULL or STORAGE_UNAVAILABLE when the outcome is not known to be durable. */
  submit(command: Command): Promise<CommandOutcome> {
    return this.#committer.submit(command);
  }

  /** Commands that wait for a transaction. */
  get commitsWaiting(): number {
    return this.#committer.waiting;
  }

  /** As `submit`; an operation that the commit changed need not be read for its answer. */
  submitFound(command: Command, key: OperationKey): Promise<FoundOutcome> {
    return this.#committer.submitFound(command, key);
  }

  /** Hears of what other processes commit from now on; before the first worker or caller comes. */
  follow(): void {
    if (this.store.isShared) this.#following ??= this.store.follow(this.remote);
  }

  close(): void {
    this.#following?.close();
    this.remote.close();
    this.types.stop();
  }

  #granted(grants: readonly Grant[]): void {
    this.sessions.granted(grants);
    if (this.node === undefined) return;
    for (const { record } of grants) this.remote.committed(record, keyText(record));
  }

  /** After every commit: what it changed reaches waiters, sessions and timers, before any caller is answered. */
  #changed(changed: readonly StoredOperation[]): void {
    const now = this.clock.now();
    const readyTypes = new Set<string>();
    for (const stored of changed) {
      const { record } = stored;
      const text = keyText(record);
      if (isDone(record.state) || record.deleteTime !== null) this.waiters.wake(text, stored);
      this.sessions.changed(record, text);
      if (this.node !== undefined) this.remote.committed(record, text);
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
    this.remote.settled();
  }
}

function hasLimit({ policy }: OperationRecord): boolean {
  return policy.typeLimit > 0 || policy.keyLimit > 0;
}
