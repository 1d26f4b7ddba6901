// A worker in a process of its own: how fast a cancel reaches it, alone and by the ten thousand, what a heartbeat costs, and
// how fast a start does. Client, server and worker read the machine's one monotonic clock.
import { DatabaseSync } from "node:sqlite";
import { delay } from "../../src/base/timers.ts";
import type { Belay } from "../belay-server.ts";
import { type Child, startChild } from "../child.ts";
import type { CallTimes, RemoteDrive } from "../drivers/remote-driver.ts";
import { type Measurement, measured, percentile, ROUNDS, type Suite } from "../measurement.ts";

const RUNNING = 1000;
const CANCELS = 300;
const MANY = 10_000;
const STARTS = 100;
/** Long enough that nothing of one call is left when the next one comes. */
const IDLE_MS = 60;
const LEASE_MS = 3000;
const HEARTBEAT_MS = LEASE_MS / 3;
const INTERVALS = 8;

interface Sides {
  belay: Belay;
  server: Child;
  worker: Child;
  drive<Answer>(question: RemoteDrive): Promise<Answer>;
}

async function withSides<T>(
  slots: number,
  leaseMs: number | null,
  run: (sides: Sides) => Promise<T>,
): Promise<T> {
  const server = await startChild<Belay>(new URL("../belay-server.ts", import.meta.url));
  await using _server = server.child;
  const { address } = server.ready;
  const lease = leaseMs === null ? [] : [String(leaseMs)];
  const worker = await startChild(new URL("../remote-worker.ts", import.meta.url), [
    address,
    String(slots),
    ...lease,
  ]);
  await using _worker = worker.child;
  const driver = await startChild(new URL("../drivers/remote-driver.ts", import.meta.url));
  await using client = driver.child;
  return await run({
    belay: server.ready,
    server: server.child,
    worker: worker.child,
    drive: (question) => client.ask({ ...question, address }),
  });
}

/** Starts so many that run until they are aborted; resolves when all of them do. */
async function running({ drive, worker }: Sides, count: number): Promise<string[]> {
  const { names } = await drive<{ names: string[] }>({ ask: "start", type: "bench.remote", count });
  await worker.ask({ ask: "running", count });
  return names;
}

/** For each call: how long after it was sent, or answered, something was noted; in milliseconds. */
function after(
  calls: readonly CallTimes[],
  notes: Readonly<Record<string, string>>,
  from: "sentNs" | "ackNs",
): number[] {
  return calls.map(({ name, [from]: ns }) => Number(BigInt(notes[name] ?? 0) - BigInt(ns)) / 1e6);
}

async function remoteCancel(): Promise<readonly Measurement[]> {
  const p50: number[] = [];
  const p99: number[] = [];
  const fromRequest: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await withSides(RUNNING + CANCELS, null, async (sides) => {
      const names = await running(sides, RUNNING + CANCELS);
      const chosen = names.filter((_, index) => index % 4 === 0).slice(0, CANCELS);
      const { calls } = await sides.drive<{ calls: CallTimes[] }>({
        ask: "cancelEach",
        names: chosen,
        pauseMs: 5,
      });
      const { aborts } = await sides.worker.ask<{ aborts: Record<string, string> }>({ ask: "aborts" });
      const late = after(calls, aborts, "ackNs");
      p50.push(Math.max(0, percentile(late, 0.5)));
      p99.push(Math.max(0, percentile(late, 0.99)));
      fromRequest.push(percentile(after(calls, aborts, "sentNs"), 0.5));
    });
  }
  const note = "after the acknowledgement; 0 where the abort was first";
  return [
    measured("remote-cancel-p50", "ms", p50, ["<", 3], note),
    measured("remote-cancel-p99", "ms", p99, ["<", 25]),
    measured("remote-cancel-request-p50", "ms", fromRequest, null, "from sending the request"),
  ];
}

async function bulkCancel(): Promise<readonly Measurement[]> {
  const aborted: number[] = [];
  const settled: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await withSides(MANY, null, async (sides) => {
      const names = await running(sides, MANY);
      const call = await sides.drive<CallTimes & { settledNs: string }>({
        ask: "cancelAll",
        type: "bench.remote",
      });
      const { aborts } = await sides.worker.ask<{ aborts: Record<string, string> }>({ ask: "aborts" });
      const calls = names.map((name) => ({ ...call, name }));
      aborted.push(Math.max(...after(calls, aborts, "sentNs")) / 1000);
      settled.push(Number(BigInt(call.settledNs) - BigInt(call.sentNs)) / 1e9);
    });
  }
  return [
    measured(
      "bulk-cancel-aborted",
      "s",
      aborted,
      ["<", 3],
      "from sending the one call to the last abort event",
    ),
    measured("bulk-cancel-settled", "s", settled, ["<", 6], "until a List by the same filter is empty"),
  ];
}

/** Looks at the database from outside: how often a session's heartbeat was written, and how many commits there were. */
async function writesOf(path: string, durationMs: number): Promise<{ heartbeats: number; commits: number }> {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const beat = database.prepare("SELECT max(heartbeat_time) AS time FROM sessions WHERE kind = 'remote'");
    const version = database.prepare("PRAGMA data_version");
    const look = (): [unknown, unknown] => [beat.get()?.["time"], version.get()?.["data_version"]];
    let last = look();
    let heartbeats = 0;
    let commits = 0;
    const end = performance.now() + durationMs;
    while (performance.now() < end) {
      await delay(2);
      const now = look();
      if (now[0] !== last[0]) heartbeats++;
      if (now[1] !== last[1]) commits++;
      last = now;
    }
    return { heartbeats, commits };
  } finally {
    database.close();
  }
}

async function heartbeat(): Promise<readonly Measurement[]> {
  const heartbeats: number[] = [];
  const commits: number[] = [];
  await withSides(MANY, LEASE_MS, async (sides) => {
    await running(sides, MANY);
    await delay(2 * HEARTBEAT_MS);
    for (let round = 0; round < ROUNDS; round++) {
      const seen = await writesOf(sides.belay.database, INTERVALS * HEARTBEAT_MS);
      heartbeats.push(seen.heartbeats / INTERVALS);
      commits.push(seen.commits / INTERVALS);
    }
  });
  return [
    measured(
      "heartbeat-writes",
      "",
      heartbeats,
      ["<", 1.2],
      `for each ${HEARTBEAT_MS} ms, seen in the database file`,
    ),
    measured("heartbeat-commits", "", commits, null, "all commits for each interval, maintenance included"),
  ];
}

async function idleStart(): Promise<readonly Measurement[]> {
  const rounds: Record<"remote" | "embedded", number[]> = { remote: [], embedded: [] };
  await withSides(10, null, async ({ drive, worker, server }) => {
    const sides = [
      ["remote", "bench.remote-begins", worker],
      ["embedded", "bench.begins", server],
    ] as const;
    for (let round = 0; round < ROUNDS; round++) {
      for (const [side, type, child] of sides) {
        const question = { ask: "startEach", type, count: STARTS, pauseMs: IDLE_MS } as const;
        const { calls } = await drive<{ calls: CallTimes[] }>(question);
        const { begins } = await child.ask<{ begins: Record<string, string> }>({ ask: "begins" });
        rounds[side].push(percentile(after(calls, begins, "sentNs"), 0.5));
      }
    }
  });
  return [
    measured(
      "start-to-run-remote-p50",
      "ms",
      rounds.remote,
      ["<", 5],
      "start committed, begin committed, handler called",
    ),
    measured("start-to-run-embedded-p50", "ms", rounds.embedded, ["<", 5]),
  ];
}

export const remoteCancelSuite: Suite = {
  name: "remote-cancel",
  method: `${RUNNING} operations run on a worker of another process; ${CANCELS} more are cancelled one by one over gRPC: acknowledgement to the handler's abort event.`,
  run: remoteCancel,
};

export const bulkCancelSuite: Suite = {
  name: "bulk-cancel",
  method: `${MANY} operations run on a worker of another process, and are cancelled by one CancelOperations with a filter.`,
  run: bulkCancel,
};

export const heartbeatSuite: Suite = {
  name: "heartbeat",
  method: `${MANY} operations run on a worker of another process, with a lease of ${LEASE_MS} ms; another process looks at the database.`,
  run: heartbeat,
};

export const idleStartSuite: Suite = {
  name: "idle-start-to-run",
  method: `${STARTS} starts over gRPC, one every ${IDLE_MS} ms, on an idle server: sending the request to the handler's first line.`,
  run: idleStart,
};
