// The entry of a reader's thread.
import { parentPort, workerData } from "node:worker_threads";
import { Reader } from "./reader.ts";
import { describeSqliteError } from "./sqlite-failure.ts";
import { clockOf } from "./store-clock.ts";
import type { ReaderCalls, ReaderOptions } from "./thread-messages.ts";
import { serveThread } from "./thread-server.ts";

if (parentPort) {
  const options = workerData as ReaderOptions;
  serveThread<ReaderCalls, null>(
    parentPort,
    () => ({ service: new Reader(options, clockOf(options.clock)), value: null }),
    (error) => `data folder ${options.folder} cannot be read: ${describeSqliteError(error)}`,
  );
}
