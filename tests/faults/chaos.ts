// A chaos run: callers, faults, and then the audit. Everything that is chosen is chosen by the seed; what the operating
// system makes of it is its own.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type BelayClient, connect, type Operation, type Receipt } from "../../src/client/client.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { ChaosAudit } from "./chaos-audit.ts";
import { ChaosLog, runClients } from "./chaos-clients.ts";
import { ChaosFaults } from "./chaos-faults.ts";
import { ChaosRandom } from "./chaos-random.ts";
import { isAlive } from "./outside.ts";
import { freePort, processEnvironment } from "./server-process.ts";
import { readTraces } from "./traces.ts";
import type { WorkerProgramOptions } from "./worker-program.ts";

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const LEASE_MS = 3000;
const SLOTS = 8;
const WORKERS = ["w0", "w1", "w2"];
/** Longer than any attempt, backoff and lease together. */
const SETTLE_MS = 60_000;
/** The others are likely to be more of the same. */
const FINDINGS_TOLD = 20;

export interface ChaosReport {
  seed: number;
  counts: Record<string, number>;
  troubles: Record<string, number>;
}

/** Throws with everything that was found. */
export async function runChaos(seed: number, durationMs: number): Promise<ChaosReport> {
  const folder = mkdtempSync(join(tmpdir(), "belay-chaos-"));
  const traces = join(folder, "traces");
  mkdirSync(traces);
  const random = new ChaosRandom(seed);
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const workers = WORKERS.map((name): WorkerProgramOptions => {
    const processFolder = join(folder, `processes-${name}`);
    return { server: address, name, slots: SLOTS, leaseMs: LEASE_MS, traces, processFolder };
  });
  const log = new ChaosLog();
  try {
    await using faults = await ChaosFaults.start(
      { port, data: join(folder, "data") },
      workers,
      random.fork(),
    );
    using client = connect(address);
    await eventually("a worker serves", async () =>
      (await client.workers()).some(({ embedded }) => !embedded),
    );
    const endMs = performance.now() + durationMs;
    const isOver = (): boolean => performance.now() >= endMs;
    await Promise.all([
      runClients(address, random.fork(), log, isOver),
      faults.run(() => performance.now() >= endMs - LEASE_MS),
    ]);
    const operations = await allEnded(client);
    const receipts = await receiptsOf(client, operations);
    const { findings, counts } = new ChaosAudit({
      ...{ log, operations, receipts, troubles: faults.troubles, traces: readTraces(traces) },
    });
    await checkSlots(client, findings);
    await checkChain(client, receipts, findings);
    const told = [`seed ${seed}: ${findings.length} findings`, ...findings.slice(0, FINDINGS_TOLD)].join(
      "\n",
    );
    assert.equal(findings.length, 0, told);
    const troubles: Record<string, number> = {};
    for (const { who, what } of faults.troubles) {
      const key = `${who === "server" ? who : "worker"} ${what}`;
      troubles[key] = (troubles[key] ?? 0) + 1;
    }
    return { seed, counts, troubles };
  } finally {
    const pids = readTraces(traces).flatMap((trace) => trace.pids);
    await eventually("no command is left", () => !pids.some(isAlive));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Every operation of the server, once all of them are done and none is held any more. */
async function allEnded(client: BelayClient): Promise<Map<string, Operation>> {
  const names = await eventually(
    "every operation ends",
    async () => {
      const listed = await listAll(client);
      return listed.every(({ done, held }) => done && !held) && listed.map(({ name }) => name);
    },
    { timeoutMs: SETTLE_MS },
  ).catch(async () => (await listAll(client)).map(({ name }) => name)); // the audit says which do not
  const operations = new Map<string, Operation>();
  for (const name of names) operations.set(name, await client.get(name));
  return operations;
}

async function listAll(client: BelayClient): Promise<Operation[]> {
  const all: Operation[] = [];
  let pageToken = "";
  do {
    const page = await client.list({ pageSize: 1000, pageToken });
    all.push(...page.operations);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return all;
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

/** After all of that each worker still takes as much as it has slots: none is lost, and none is there twice. */
async function checkSlots(client: BelayClient, findings: string[]): Promise<void> {
  const count = SLOTS * WORKERS.length;
  const starts = Array.from({ length: count }, () => ({
    type: "trace.inline",
    payload: { ms: 60_000 },
    labels: { slots: "all" },
  }));
  await client.batchStart(starts);
  try {
    await eventually(
      "all slots are taken at once",
      async () => {
        const { operations } = await client.list({ filter: 'labels.slots = "all" AND state = RUNNING' });
        return operations.length === count;
      },
      { timeoutMs: 20_000 },
    );
  } catch {
    const workers = await client.workers();
    const told = workers.map(({ worker, slots, running, reserved, held }) => ({
      worker,
      slots,
      running,
      reserved,
      held,
    }));
    findings.push(`not all ${count} slots are taken: ${JSON.stringify(told)}`);
  }
  const cancel = await client.cancelOperations('labels.slots = "all"', {
    reason: "that will do",
    graceMs: 100,
  });
  await cancel.wait();
}

/** The chain holds every event of every receipt, and verifies. */
async function checkChain(
  client: BelayClient,
  receipts: ReadonlyMap<string, Receipt>,
  findings: string[],
): Promise<void> {
  const isWhole = async (): Promise<boolean> => {
    const entries = new Map<string, number>();
    for await (const page of client.exportReceipts())
      for (const { name } of page.entries) entries.set(name, (entries.get(name) ?? 0) + 1);
    return [...receipts].every(([name, { events }]) => entries.get(name) === events.length);
  };
  await eventually("the chain has every event", isWhole, { timeoutMs: 20_000 }).catch(() =>
    findings.push("the chain of receipts does not have every event of every receipt"),
  );
  const run = promisify(execFile);
  const args = [main, "receipt", "--verify", "--server", client.address];
  await run(process.execPath, args, { env: processEnvironment() }).catch((error: Error) =>
    findings.push(`the chain of receipts does not verify: ${error.message}`),
  );
}
