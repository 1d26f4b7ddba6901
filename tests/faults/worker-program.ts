// A worker in a process of its own, as tests of faults start it: `node worker-program.ts OPTIONS`, the options as JSON.
// It says "serves" on standard output once it has a session, and drains on SIGTERM.
import { createLogger } from "../../src/base/logger.ts";
import { delay } from "../../src/base/timers.ts";
import { createWorker } from "../../src/worker/worker.ts";
import { operations } from "./traced-operations.ts";

export interface WorkerProgramOptions {
  server: string;
  name: string;
  slots: number;
  leaseMs: number;
  guarded?: boolean;
  /** Where its handlers write what they really do. */
  traces: string;
  /** Where the records of its commands are. */
  processFolder: string;
  /** How long stopping by force may take; default 1,000. */
  killMs?: number;
}

const { traces: _, killMs: __, ...options } = JSON.parse(process.argv[2] ?? "{}") as WorkerProgramOptions;
const worker = createWorker({ ...options, handlers: operations, logger: createLogger("warn") });
process.once("SIGTERM", async () => {
  await worker.drain(2_000);
  await worker.close();
  process.exit(0);
});
for (;;) {
  try {
    await worker.start();
    break;
  } catch {
    await delay(50); // the server is away just now
  }
}
process.stdout.write("serves\n");
