// The end of a recorded run: waits until everything has ended, reads all of it again through every node, and lets the checker
// of histories and the chaos audit compare what was answered with what really happened.
import assert from "node:assert/strict";
import { type BelayClient, connect, type Operation, type Receipt } from "../../src/client/client.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { checkHistory } from "../history/check-history.ts";
import type { Attempted, Finding, History, RecordedAttempt } from "../history/history.ts";
import { RecordedCaller, type Recorder } from "../history/recorder.ts";
import { ChaosAudit } from "./chaos-audit.ts";
import { ChaosLog } from "./chaos-clients.ts";
import type { Cluster } from "./cluster.ts";
import { readTraces, type Trace } from "./traces.ts";

const SETTLE_MS = 60_000;
const TOLD_MS = 20_000;
const FINDINGS_TOLD = 15;
const SENTINEL = "sentinel";

export interface ClusterReport {
  calls: number;
  /** Calls that were not answered, by what was asked and the code. */
  unanswered: Record<string, number>;
  operations: number;
  counts: Record<string, number>;
  troubles: string[];
  checkMs: number;
}

/** Throws with everything that was found. */
export async function judgeCluster(cluster: Cluster, recorder: Recorder): Promise<ClusterReport> {
  const operations = await allEnded(cluster, recorder);
  await untilAllTold(cluster, recorder);
  const traces = readTraces(cluster.traces);
  const beganMs = performance.now();
  const findings = [
    ...recorder.wrong.map((text) => `a caller was answered ${text}`),
    ...checkHistory(historyOf(recorder, operations, traces)).map((finding) => tell(finding, operations)),
  ];
  const checkMs = Math.round(performance.now() - beganMs);
  using client = connect(cluster.address);
  const receipts = await receiptsOf(client, operations);
  const log = chaosLogOf(recorder, operations);
  const audit = new ChaosAudit({ log, operations, receipts, traces, troubles: cluster.troubles });
  findings.push(...audit.findings);
  const told = [`${findings.length} findings`, ...findings.slice(0, FINDINGS_TOLD)].join("\n");
  assert.equal(findings.length, 0, `${told}\n${troublesOf(cluster).join("\n")}\n${cluster.output}`);
  return {
    ...{ calls: recorder.calls.length, unanswered: recorder.unanswered, operations: operations.size },
    ...{ counts: audit.counts, troubles: troublesOf(cluster), checkMs },
  };
}

function troublesOf({ troubles }: Cluster): string[] {
  return troubles.map(({ who, what, fromMs, toMs }) => `${who} ${what} ${toMs - fromMs} ms`);
}

/** Every operation that is left, in full, each read at another node. */
async function allEnded(
  { addresses, address }: Cluster,
  recorder: Recorder,
): Promise<Map<string, Operation>> {
  await untilEnded(address).catch(() => undefined); // the checks say which do not
  const caller = new RecordedCaller(recorder, { name: "judge", addresses });
  const listed = await caller.list(null, true);
  assert.ok(listed, "every node answers in the end");
  const operations = new Map<string, Operation>();
  for (const { name } of listed.rows) {
    const operation = await caller.get(name);
    if (operation) operations.set(name, operation);
    caller.turn();
  }
  for (const _ of addresses) await caller.list(null);
  caller.close();
  return operations;
}

/** Not recorded: it looks a hundred times. */
async function untilEnded(address: string): Promise<void> {
  using client = connect(address);
  const open = ["done = false", "held = true"];
  await eventually(
    "every operation ends",
    async () => {
      const pages = open.map((filter) => client.list({ filter, pageSize: 1, showDeleted: true }));
      return (await Promise.all(pages)).every(({ operations }) => operations.length === 0);
    },
    { timeoutMs: SETTLE_MS },
  );
}

/** Each watch is told the end of one more operation: so it was told everything before. */
async function untilAllTold({ addresses }: Cluster, recorder: Recorder): Promise<void> {
  const caller = new RecordedCaller(recorder, { name: "sentinel", addresses });
  const atMs = performance.now();
  const name = await caller.start("trace.inline", { requestId: SENTINEL }, () => false);
  assert.ok(name);
  await eventually("new work runs", async () => (await caller.wait(name, 5000))?.done, {
    timeoutMs: TOLD_MS,
  });
  for (const watch of recorder.watches) await watch.untilTold(name, atMs, TOLD_MS);
  for (const watch of recorder.watches) await watch.close();
  caller.close();
}

/** Starts that were never answered are settled by the label that carries their request id. */
function historyOf(
  recorder: Recorder,
  operations: ReadonlyMap<string, Operation>,
  traces: readonly Trace[],
): History {
  const { calls, listings, watches, sweeps, labels } = recorder;
  const named = new Map([...labels].map(([name, { request = "" }]) => [request, name]));
  const records = new Map<string, RecordedAttempt[]>();
  for (const { name, attempts } of operations.values()) records.set(name, attempts);
  return {
    calls: calls.map((call) =>
      call.name === "" ? { ...call, name: named.get(call.requestId ?? "") ?? "" } : call,
    ),
    attempts: traces.map(attemptedOf),
    ...{ listings, watches, sweeps, labels, records, isSettled: true },
  };
}

/** Traces are of the wall clock, which nobody steps on this machine while a test runs. */
function attemptedOf({ id, attempt, begins, worker, beginMs, lastMs, end }: Trace): Attempted {
  const aheadMs = Date.now() - performance.now();
  const name = `operations/${id}`;
  return { name, attempt, begins, worker, end, beginMs: beginMs - aheadMs, lastMs: lastMs - aheadMs };
}

async function receiptsOf(
  client: BelayClient,
  operations: ReadonlyMap<string, Operation>,
): Promise<Map<string, Receipt>> {
  const receipts = new Map<string, Receipt>();
  for (const { name, cancellation } of operations.values())
    if (cancellation) receipts.set(name, await client.receipt(name));
  return receipts;
}

/** What the audit of the chaos runs wants to know of the callers. */
function chaosLogOf({ calls }: Recorder, operations: ReadonlyMap<string, Operation>): ChaosLog {
  const log = new ChaosLog();
  const aheadMs = Date.now() - performance.now();
  for (const { what, outcome, name, requestId, endMs, verdict, view } of calls) {
    if (requestId === SENTINEL) continue; // it was started when everything else had been read
    const ackMs = endMs + aheadMs;
    if (what === "start" && outcome === "ok")
      log.started.set(name, { type: operations.get(name)?.type ?? "", ackMs });
    if (what === "cancel") log.tried.add(name);
    if (what !== "cancel" || verdict === undefined || outcome !== "ok") continue;
    const { attempt = 0, reason = "" } = view ?? {};
    log.cancels.push({
      ...{ name, ackMs, attempt, reason },
      verdict: verdict as ChaosLog["cancels"][number]["verdict"],
    });
  }
  return log;
}

function tell({ rule, name, text }: Finding, operations: ReadonlyMap<string, Operation>): string {
  const operation = operations.get(name);
  const attempts = operation?.attempts.map(({ attempt, outcome }) => `${attempt} ${outcome}`).join(", ");
  return `${rule} ${name} (${operation?.type}, attempts ${attempts}): ${text}`;
}
