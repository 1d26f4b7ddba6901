// A real Belay server under load while its database goes away and comes back: what was acknowledged, what the handlers' own
// traces say, and what the database holds must agree afterwards.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../postgres/postgres-server.ts";
import type { TestDatabases } from "../postgres/test-databases.ts";
import { type Acknowledged, type LoadResult, runLoad } from "./kill-load.ts";
import { assertNothingLost, assertRuns } from "./kill-rounds.ts";
import { assertFeedIsWhole } from "./postgres-load.ts";
import { freePort, ServerProcess } from "./server-process.ts";

const operations = new URL("./fault-operations.ts", import.meta.url);

/** Status codes that every standard client repeats a call on. */
const retryable = ["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"];

/** Starts that must be answered after the last fault: more than those that were in flight. */
const SERVED_ON = 100;

export interface RoundsOptions {
  /** What the server is given as its store. */
  url: string;
  /** Where the database can be asked afterwards, past what breaks. */
  audit: () => { databases: TestDatabases; database: string };
  /** Breaks the database, and mends it; called while the load runs. */
  faults: () => Promise<void>;
}

/** Serves on the database, loads it, calls `faults`, and checks every promise. */
export async function serveThroughFaults({ url, audit, faults }: RoundsOptions): Promise<LoadResult> {
  const folder = mkdtempSync(join(tmpdir(), "belay-faults-"));
  const files = { runs: join(folder, "runs"), pids: join(folder, "pids"), beats: join(folder, "beats") };
  const port = await freePort();
  const acknowledged: Acknowledged = { starts: new Map(), cancels: new Map() };
  try {
    const env = { BELAY_TEST_RUNS: files.runs };
    const options = { port, data: join(folder, "data"), store: url, operations, slots: 64, env };
    await using server = await ServerProcess.start(options);
    let isStopped = false;
    const load = runLoad(`127.0.0.1:${port}`, acknowledged, () => isStopped, {
      pids: files.pids,
      beats: files.beats,
    });
    try {
      await faults();
      const before = acknowledged.starts.size;
      await eventually("it serves on", async () => acknowledged.starts.size > before + SERVED_ON);
    } finally {
      isStopped = true;
      await load;
    }
    await assertNothingLost(port, acknowledged);
    assertRuns(files.runs, acknowledged);
    const result = await load;
    const odd = Object.keys(result.codes).filter((code) => !retryable.includes(code));
    assert.deepEqual(odd, [], `clients repeat ${retryable.join(", ")}: ${JSON.stringify(result.codes)}`);
    const { databases, database } = audit();
    await assertOneEach(databases, database, acknowledged);
    await assertFeedIsWhole(databases, database);
    server.kill("SIGTERM");
    assert.deepEqual(await server.exited(), { code: 0, signal: null }, server.output);
    return result;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** S4: of each acknowledged request id one operation, and of no request id two. */
async function assertOneEach(
  databases: TestDatabases,
  database: string,
  { starts }: Acknowledged,
): Promise<void> {
  const sql = "SELECT request_id, name FROM request_keys JOIN operations USING (service, tenant, name)";
  const rows = await databases.query(sql, [], database);
  const stored = new Map(rows.map(({ request_id, name }) => [request_id, name]));
  assert.equal(stored.size, rows.length);
  for (const [requestId, name] of starts) assert.equal(stored.get(requestId), name);
  const [all] = await databases.query("SELECT count(*)::integer AS count FROM operations", [], database);
  assert.equal(all?.["count"], rows.length, "no operation without a request id");
}
