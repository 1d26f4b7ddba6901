// kill -9 at random moments under load, and what must hold afterwards, judged by the acknowledged log, the handlers'
// own traces and the operating system.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { delay } from "../../src/base/timers.ts";
import { connect } from "../../src/client/client.ts";
import { State } from "../../src/protocol/gen/belay/v1/operations_pb.ts";
import { eventually } from "../../src/testing/eventually.ts";
import type { RunLine } from "./fault-operations.ts";
import { type Acknowledged, runLoad } from "./kill-load.ts";
import { isAlive, readLines, stateName } from "./outside.ts";
import { freePort, ServerProcess } from "./server-process.ts";

export interface KillReport {
  kills: number;
  starts: number;
  cancels: number;
  unknown: number;
  startsPerSecond: number;
}

/** Acknowledged starts of a life before it is ended: some cancels are among the calls by then. */
const STARTS_MIN = 128;

const operations = new URL("./fault-operations.ts", import.meta.url);

/** Runs `kills` lives of the server, each killed under load, and checks every promise afterwards. */
export async function killUnderLoad(kills: number): Promise<KillReport> {
  const folder = mkdtempSync(join(tmpdir(), "belay-kill-"));
  const files = { runs: join(folder, "runs"), pids: join(folder, "pids"), beats: join(folder, "beats") };
  const server = {
    port: await freePort(),
    data: join(folder, "data"),
    operations,
    slots: 64,
    env: { BELAY_TEST_RUNS: files.runs },
  };
  const acknowledged: Acknowledged = { starts: new Map(), cancels: new Map() };
  const report: KillReport = { kills, starts: 0, cancels: 0, unknown: 0, startsPerSecond: 0 };
  let loadedMs = 0;
  try {
    for (let life = 0; life < kills; life++) {
      await using process_ = await ServerProcess.start(server);
      let stopped = false;
      const began = performance.now();
      const enough = acknowledged.starts.size + STARTS_MIN;
      const load = runLoad(`127.0.0.1:${server.port}`, acknowledged, () => stopped, {
        pids: files.pids,
        beats: files.beats,
      });
      await delay(200 + Math.random() * 1000);
      // On a busy machine the first answers come later than that.
      await eventually("the load has begun", () => acknowledged.starts.size >= enough);
      process_.kill("SIGKILL");
      await process_.exited();
      loadedMs += performance.now() - began;
      stopped = true;
      const result = await load;
      report.starts += result.starts;
      report.cancels += result.cancels;
      report.unknown += result.unknown;
      await assertNoChildLeft(files.pids);
    }
    report.startsPerSecond = Math.round((report.starts * 1000) / loadedMs);
    await using last = await ServerProcess.start(server);
    await assertNothingLost(server.port, acknowledged);
    assertRuns(files.runs, acknowledged);
    assert.ok(last.pid > 0);
    return report;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Within the supervisor's time no process of a killed server is left. */
export async function assertNoChildLeft(pidsFile: string): Promise<void> {
  const pids = readLines(pidsFile).flatMap((line) => line.split(" ").map(Number));
  const deadline = performance.now() + 5000;
  let alive = pids.filter(isAlive);
  while (alive.length > 0 && performance.now() < deadline) {
    await delay(10);
    alive = alive.filter(isAlive);
  }
  assert.deepEqual(alive, [], "processes that outlived their killed server");
}

const CHECKED_AT_ONCE = 16;

/** Every acknowledged start is there; every acknowledged cancel has ended its operation as the verdict said. */
export async function assertNothingLost(port: number, acknowledged: Acknowledged): Promise<void> {
  const client = connect(`127.0.0.1:${port}`);
  const names = [...acknowledged.starts.values()];
  const check = async (): Promise<void> => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      const operation = await client.get(name); // throws NOT_FOUND for a lost one
      const cancel = acknowledged.cancels.get(name);
      if (!cancel) continue;
      const done = operation.done ? operation : await client.wait(name, { timeoutMs: 20_000 });
      assert.ok(done.done, `${name} was cancelled (${cancel.verdict}) and is still ${stateName(done.state)}`);
      const message = done.result.case === "error" ? done.result.value.message : "";
      // Nothing but the cancel can end these types, except a lost worker at the last attempt before the cancel came.
      const expected = cancel.verdict === "TOO_LATE_FAILED" ? State.FAILED : State.CANCELLED;
      assert.equal(stateName(done.state), stateName(expected), `${name} after ${cancel.verdict}: ${message}`);
    }
  };
  await Promise.all(Array.from({ length: CHECKED_AT_ONCE }, check));
  client.close();
}

/** No operation began after its cancel was acknowledged, none more often than its attempts allow. */
export function assertRuns(runsFile: string, acknowledged: Acknowledged): void {
  const begun = new Map<string, number>();
  for (const line of readLines(runsFile)) {
    const run = JSON.parse(line) as RunLine;
    if (run.event !== "begin") continue;
    const count = (begun.get(run.name) ?? 0) + 1;
    begun.set(run.name, count);
    const cancel = acknowledged.cancels.get(run.name);
    assert.ok(
      !cancel || BigInt(run.ns) < cancel.ackNs,
      `${run.name} began after its cancel was acknowledged`,
    );
    assert.ok(count <= 3, `${run.name} began ${count} times; at most 3 attempts are allowed`);
  }
}
