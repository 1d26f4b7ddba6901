// The entry of the writer's thread: opens the data folder, then serves commits.
import { parentPort, workerData } from "node:worker_threads";
import { wallClockInstant } from "../../base/clock.ts";
import { StoreOpenError } from "../store-open-error.ts";
import { decodeCommands } from "./command-message.ts";
import { encodeCommitResult } from "./commit-message.ts";
import { databasePath, prepareDataFolder } from "./data-folder.ts";
import { openWriteConnection } from "./database.ts";
import { type FolderLock, lockFolder } from "./folder-lock.ts";
import { migrate } from "./migrator.ts";
import { describeSqliteError, sqliteFailure } from "./sqlite-failure.ts";
import { anchorClock, type ClockSource, clockOf } from "./store-clock.ts";
import type { ThreadEvent, WriterCalls, WriterOptions } from "./thread-messages.ts";
import { serveThread, type ThreadService } from "./thread-server.ts";
import { Writer } from "./writer.ts";

/** What the main thread learns when the store is open. */
export interface WriterOpened {
  folder: string;
  clock: ClockSource;
}

function open(
  options: WriterOptions,
  tell: (event: ThreadEvent) => void,
): { service: ThreadService<WriterCalls>; value: WriterOpened } {
  const folder = prepareDataFolder(options.folder);
  const lock = lockFolder(folder);
  try {
    const path = databasePath(folder);
    const database = openWriteConnection(path, options.busyTimeoutMs);
    migrate(database, path, options.clock === null ? wallClockInstant() : clockOf(options.clock).now());
    const clock = options.clock ?? { kind: "anchored", anchor: anchorClock(database) };
    const writer = new Writer({ folder, database, clock: clockOf(clock), tell });
    writer.prepare();
    return { service: serviceOf(writer, lock), value: { folder, clock } };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function serviceOf(writer: Writer, lock: FolderLock): ThreadService<WriterCalls> {
  return {
    calls: {
      commit: (message) => encodeCommitResult(writer.commit(decodeCommands(message))),
      pendingWork: () => writer.reads.pendingWork(),
      listSessions: () => writer.reads.listSessions(),
      sessionGrants: (session) => writer.reads.sessionGrants(session),
      liveCounts: () => writer.reads.liveCounts(),
      heldCount: () => writer.reads.heldCount(),
      stoppingOperations: (type, limit) => writer.reads.stoppingOperations(type, limit),
      listTypes: () => writer.reads.listTypes(),
      putTypes: (types) => writer.putTypes(types),
      dropTypes: (types) => writer.dropTypes(types),
      unchainedEvents: (limit) => writer.chain.unchained(limit),
      chainHead: (service, tenant) => writer.chain.head(service, tenant),
      appendChain: (entries, checkpoints) => writer.appendChain(entries, checkpoints),
      purge: (limit) => writer.purge(limit),
      close: () => {
        writer.close();
        lock.release();
      },
    },
    idle: () => writer.idle(),
  };
}

if (parentPort) {
  const port = parentPort;
  const options = workerData as WriterOptions;
  serveThread<WriterCalls, WriterOpened>(
    port,
    () => open(options, (event) => port.postMessage(event)),
    (error) => {
      if (error instanceof StoreOpenError) return error.message;
      if (sqliteFailure(error) === "busy")
        return `the database in ${options.folder} is locked by another process`;
      return `data folder ${options.folder} cannot be opened: ${describeSqliteError(error)}`;
    },
  );
}
