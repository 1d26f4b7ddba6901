// What a supervisor is told, and when: a real one, which takes its time to start.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { monotonicNs } from "../../base/clock.ts";
import { createLogger } from "../../base/logger.ts";
import { temporaryFolder } from "../../testing/test-worker.ts";
import { readBootId } from "./boot-id.ts";
import { ProcessSupervisor } from "./process-supervisor.ts";

test("a lease that was renewed while the supervisor starts is the one that counts", async (t) => {
  const processFolder = join(temporaryFolder(t), "processes");
  const supervisor = new ProcessSupervisor({
    ...{ processFolder, bootId: readBootId(), logger: createLogger("silent") },
  });
  t.after(() => supervisor.close());
  supervisor.leaseUntil(monotonicNs() + 1_000_000n); // passes before any process can start
  const ended = new Promise<string>((resolve) => {
    supervisor.run(
      {
        ...{ marker: "1-marker", operation: "operations/one", command: ["true"], cwd: "/", env: {} },
        ...{ input: "", isAttached: false },
      },
      {
        notes: () => {},
        terminated: () => {},
        refused: resolve,
        gone: (exit) => resolve(`exit code ${exit?.code}, lost lease: ${exit?.lostLease}`),
      },
    );
  });
  supervisor.leaseUntil(monotonicNs() + 60_000_000_000n);
  assert.equal(await ended, "exit code 0, lost lease: false");
});
