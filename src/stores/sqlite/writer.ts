// The only writer of a database: runs batches of commands through `decide`, one transaction each, and says what a
// failure means. Lives in its own thread, since an fsync blocks for milliseconds.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Clock } from "../../base/clock.ts";
import { RpcError } from "../../base/rpc-error.ts";
import type { Command } from "../../engine/commands.ts";
import { decide } from "../../engine/decide.ts";
import type { CommitFailure, CommitResult, DeclaredType } from "../../engine/store.ts";
import { changedBy, merged, withPayloads } from "../commit-result.ts";
import { ChainLog } from "./chain-log.ts";
import { getRow, inTransaction, prepareRows } from "./database.ts";
import { DecisionWriter } from "./decision-writer.ts";
import { ReadSetLoader } from "./read-set.ts";
import { Retention } from "./retention.ts";
import { RoomKeeper } from "./room-keeper.ts";
import { describeSqliteError, sqliteFailure } from "./sqlite-failure.ts";
import { dropType, putType } from "./statements.ts";
import { type KeyParts, storageUnavailable, type ThreadEvent } from "./thread-messages.ts";
import { rotateTokenKeys } from "./token-keys.ts";
import { WriterReads } from "./writer-reads.ts";

/** The log is written back once it is this long: 4 MiB. */
const CHECKPOINT_PAGES = 1000;

/** On a full disk one purge must fit into the reserve. */
const PURGE_WHEN_FULL_MAX = 100;

export interface WriterParts {
  folder: string;
  database: DatabaseSync;
  clock: Clock;
  tell(event: ThreadEvent): void;
}

export class Writer {
  readonly reads: WriterReads;
  readonly chain: ChainLog;
  readonly #folder: string;
  readonly #database: DatabaseSync;
  readonly #clock: Clock;
  readonly #tell: (event: ThreadEvent) => void;
  readonly #loader: ReadSetLoader;
  readonly #decisions: DecisionWriter;
  readonly #retention: Retention;
  readonly #room: RoomKeeper;
  readonly #putType: StatementSync;
  readonly #dropType: StatementSync;
  readonly #logLength: StatementSync;
  /** How long the log was at the last attempt to write it back. */
  #checkpointedAt = 0;
  #ended: "closed" | "failed" | null = null;

  constructor({ folder, database, clock, tell }: WriterParts) {
    this.#folder = folder;
    this.#database = database;
    this.#clock = clock;
    this.#tell = tell;
    this.#loader = new ReadSetLoader(database);
    this.#decisions = new DecisionWriter(database);
    this.#retention = new Retention(database);
    this.#room = new RoomKeeper({ folder, database, clock, tell });
    this.#putType = database.prepare(putType);
    this.#dropType = database.prepare(dropType);
    this.reads = new WriterReads(database, clock);
    this.chain = new ChainLog(database);
    this.#logLength = prepareRows(database, "PRAGMA wal_checkpoint(NOOP)");
  }

  /** Called once, before the first commit. A full disk is no reason not to open: it is read, and deleted from. */
  prepare(): void {
    this.#guarded(() => this.#rotateKeys());
    // Some milliseconds of writing that nobody needs to wait for.
    setImmediate(() => this.#room.takeReserve());
  }

  /**
   * Commits a batch; returns only when it is durable. On a full disk only deletes are run, the rest of the batch
   * fails with STORAGE_FULL. Throws STORAGE_FULL when nothing was committed; STORAGE_UNAVAILABLE when nothing was, or
   * nobody can know.
   */
  commit(commands: readonly Command[]): CommitResult {
    this.#requireAlive();
    if (!this.#room.isFull || this.#guarded(() => this.#room.isThereAgain())) {
      try {
        return this.#commit(commands);
      } catch (error) {
        if (sqliteFailure(error) !== "full") throw this.#failure(error);
        this.#room.lost();
      }
    }
    return this.#commitDeletes(commands);
  }

  /** Removes what retention no longer keeps; on a full disk also what clients deleted. Answers the operations. */
  async purge(limit: number): Promise<readonly KeyParts[]> {
    this.#requireAlive();
    const { isFull } = this.#room;
    if (isFull) this.#guarded(() => this.#room.releaseReserve());
    const most = isFull ? Math.min(limit, PURGE_WHEN_FULL_MAX) : limit;
    const purged =
      this.#guarded(() => this.#retention.purgeOperations(most, this.#clock.now(), isFull)) ?? [];
    while (this.#guarded(() => this.#retention.purgeLogs(this.#clock.now()))) {
      this.idle();
      // Commits that came meanwhile go first.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#ended !== null) return purged;
    }
    this.#guarded(() => this.#rotateKeys());
    if (this.#room.isFull) this.#guarded(() => this.#room.isThereAgain());
    else this.#room.takeReserve();
    return purged;
  }

  /** Adds or replaces declared types. */
  putTypes(types: readonly DeclaredType[]): void {
    this.#write(() =>
      inTransaction(this.#database, "IMMEDIATE", () => {
        for (const { type, policy } of types) this.#putType.run(type, JSON.stringify(policy));
      }),
    );
  }

  dropTypes(types: readonly string[]): void {
    this.#write(() =>
      inTransaction(this.#database, "IMMEDIATE", () => {
        for (const type of types) this.#dropType.run(type);
      }),
    );
  }

  /** See ChainLog. */
  appendChain(...appended: Parameters<ChainLog["append"]>): void {
    this.#write(() => this.chain.append(...appended));
  }

  /** Writes the log back when it has grown; runs after the commit was answered. */
  idle(): void {
    if (this.#ended !== null) return;
    try {
      const [, length = 0, done = 0] = getRow<[number, number, number]>(this.#logLength) ?? [];
      if (length < this.#checkpointedAt) this.#checkpointedAt = 0; // the log began anew
      // A long read (a backup) holds the log back: then only every further 4 MiB is worth an attempt.
      if (length - Math.max(done, this.#checkpointedAt) < CHECKPOINT_PAGES) return;
      this.#checkpointedAt = length;
      this.#database.exec("PRAGMA wal_checkpoint(PASSIVE)");
    } catch (error) {
      if (sqliteFailure(error) === "full") this.#room.lost();
      else if (sqliteFailure(error) === "fatal") this.#fail(error);
    }
  }

  /** Leaves the database in one file. After a failure nothing is written any more, so nothing is closed either. */
  close(): void {
    if (this.#ended !== null) return;
    try {
      this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (error) {
      if (sqliteFailure(error) === "fatal") this.#fail(error);
    }
    if (this.#ended === "failed") return;
    this.#ended = "closed";
    this.#database.close();
  }

  #rotateKeys(): void {
    inTransaction(this.#database, "IMMEDIATE", () => rotateTokenKeys(this.#database, this.#clock.now()));
  }

  /** Throws only when nothing of the batch was committed, or (fatal) when nobody can know. */
  #commit(commands: readonly Command[]): CommitResult {
    try {
      return this.#transact(commands);
    } catch (error) {
      if (sqliteFailure(error) !== "command") throw error;
      // One of these commands breaks the transaction: it is found by halves, and fails alone.
      if (commands.length === 1)
        return failed(commands, { type: "failed", message: describeSqliteError(error) });
      const middle = Math.ceil(commands.length / 2);
      return merged(this.#commit(commands.slice(0, middle)), this.#commitSecondHalf(commands.slice(middle)));
    }
  }

  /** The first half is committed already: what stops this one is told by its outcomes. */
  #commitSecondHalf(commands: readonly Command[]): CommitResult {
    try {
      return this.#commit(commands);
    } catch (error) {
      const failure = sqliteFailure(error);
      if (failure === "fatal") throw error;
      if (failure === "full") this.#room.lost();
      return failed(
        commands,
        failure === "full" ? noRoom : { type: "failed", message: describeSqliteError(error) },
      );
    }
  }

  #transact(commands: readonly Command[]): CommitResult {
    const now = this.#clock.now();
    const [decision, loaded] = inTransaction(this.#database, "IMMEDIATE", () => {
      const loaded = this.#loader.load(commands, now);
      const decision = decide(loaded, commands, now);
      this.#decisions.write(decision, loaded, now);
      return [decision, loaded] as const;
    });
    const changed = changedBy(decision, loaded.stored);
    this.#loader.committed(changed);
    return { outcomes: decision.outcomes.map((outcome) => withPayloads(outcome, loaded.grants)), changed };
  }

  /** A write beside commits; throws STORAGE_FULL when there was no room. */
  #write(work: () => void): void {
    this.#requireAlive();
    try {
      work();
    } catch (error) {
      if (sqliteFailure(error) !== "full") throw this.#failure(error);
      this.#room.lost();
      throw new RpcError("STORAGE_FULL", {}, { cause: error });
    }
  }

  /** On a full disk: deletes use the reserve. */
  #commitDeletes(commands: readonly Command[]): CommitResult {
    const deletes = commands.filter((command) => command.type === "delete");
    if (deletes.length === 0) throw new RpcError("STORAGE_FULL");
    let result: CommitResult;
    try {
      this.#room.releaseReserve();
      result = this.#commit(deletes);
    } catch (error) {
      throw sqliteFailure(error) === "full"
        ? new RpcError("STORAGE_FULL", {}, { cause: error })
        : this.#failure(error);
    }
    const outcomes = result.outcomes.values();
    return {
      changed: result.changed,
      outcomes: commands.map(
        (command) => (command.type === "delete" ? outcomes.next().value : undefined) ?? noRoom,
      ),
    };
  }

  #guarded<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (sqliteFailure(error) !== "full") throw this.#failure(error);
      this.#room.lost();
      return undefined;
    }
  }

  /** What the caller gets; a fatal error also ends all writing. */
  #failure(error: unknown): unknown {
    switch (sqliteFailure(error)) {
      case "busy":
        return storageUnavailable(error);
      case "fatal":
        this.#fail(error);
        return storageUnavailable(error);
      default:
        return error;
    }
  }

  /**
   * The disk did not do what it was told. After a failed fsync the kernel may have dropped the pages and calls them
   * clean: a second fsync would succeed and say nothing. So none is tried, and nothing is acknowledged any more.
   */
  #fail(error: unknown): void {
    if (this.#ended !== null) return;
    this.#ended = "failed";
    const line = `the database in ${this.#folder} failed: ${describeSqliteError(error)}; nothing more is acknowledged, restart Belay once the disk is sound`;
    this.#tell({ type: "fatal", line });
  }

  #requireAlive(): void {
    if (this.#ended !== null) throw storageUnavailable(`the database ${this.#ended} earlier`);
  }
}

const noRoom: CommitFailure = { type: "failed", reason: "STORAGE_FULL", message: "the disk is full" };

function failed(commands: readonly Command[], failure: CommitFailure): CommitResult {
  return { outcomes: commands.map(() => failure), changed: [] };
}
