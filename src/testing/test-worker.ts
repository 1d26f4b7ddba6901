// A real worker on a RecordingConnection, with a temporary folder, gone at the end of the test.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createLogger } from "../base/logger.ts";
import { createWorker, type OperationDefinition, type Worker } from "../worker/worker.ts";
import { RecordingConnection } from "./recording-connection.ts";

export interface TestWorker {
  worker: Worker;
  connection: RecordingConnection;
  /** Holds the process records in `processes`; free for the test's own files otherwise. */
  folder: string;
}

/** A folder that is removed at the end of the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "belay-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts a worker that runs `operations`, with `leaseMs` under a lease; it is closed at the end of the test. */
export async function startTestWorker(
  t: TestContext,
  operations: readonly OperationDefinition[],
  options: { slots?: number; leaseMs?: number; guarded?: boolean } = {},
): Promise<TestWorker> {
  const folder = temporaryFolder(t);
  const connection = new RecordingConnection();
  if (options.leaseMs !== undefined) {
    connection.hasLease = true;
    connection.renewLease(options.leaseMs);
  }
  const worker = createWorker({
    connection,
    handlers: operations,
    slots: options.slots ?? 4,
    name: "test",
    ...(options.guarded !== undefined && { guarded: options.guarded }),
    processFolder: join(folder, "processes"),
    logger: createLogger("silent"),
  });
  t.after(() => worker.close());
  await worker.start();
  return { worker, connection, folder };
}
