// One Belay node on a PostgreSQL database, engine and worker in this process, that answers the scale suite over IPC: it
// makes the samples that are copied, and then times one call at a time.
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Instant } from "../../src/base/clock.ts";
import { createLogger } from "../../src/base/logger.ts";
import { delay } from "../../src/base/timers.ts";
import { Engine, type StartRequest } from "../../src/engine/engine.ts";
import { isDone, type OperationKey, type Payload } from "../../src/engine/operation.ts";
import { openReceiptKeys } from "../../src/engine/receipts/receipt-keys.ts";
import { createInProcessConnection } from "../../src/services/worker/in-process-connection.ts";
import { sealPageToken } from "../../src/stores/page-token.ts";
import { PostgresPool } from "../../src/stores/postgres/postgres-pool.ts";
import { PostgresReads } from "../../src/stores/postgres/postgres-reads.ts";
import { TokenKeys } from "../../src/stores/postgres/token-keys.ts";
import { TokenKeyring } from "../../src/stores/token-keyring.ts";
import { policyOf } from "../../src/worker/operation-policy.ts";
import { createWorker, defineOperation } from "../../src/worker/worker.ts";
import { answerParent, tellReady } from "../child.ts";
import { percentile } from "../measurement.ts";
import { openStore, SLOTS } from "../peers/belay.ts";

/** The tenant that is asked: six of ten operations are its. */
export const TENANT = "acme";
const SERVICE = "default";

export type ScaleQuestion =
  | { ask: "samples" }
  | { ask: "backlog"; count: number }
  | { ask: "get"; names: readonly string[] }
  | { ask: "list"; filter: string; orderBy: string; from: readonly (Instant | null)[] }
  | { ask: "cancel"; what: "pending" | "running"; count: number }
  | { ask: "resume"; after: readonly number[]; names: readonly string[] | null }
  | { ask: "counts"; times: number }
  | { ask: "live"; inFlight: number; ms: number; hasRequestIds: boolean }
  | { ask: "purge"; batches: number; now: Instant }
  | { ask: "usage" };

/** Of calls one after the other, in microseconds. */
export interface Timed {
  p50Us: number;
  p95Us: number;
}

const url = process.argv[2] ?? "";
const logger = createLogger("warn");
const folder = mkdtempSync(join(tmpdir(), "belay-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** Shorter than the feed's: what is purged under a clock that is put forward is operations alone. */
const retentionMs = 24 * 3600 * 1000;
const operations = [
  defineOperation({ type: "bench.noop", retentionMs }, async () => ({
    pages: 3,
    file: "reports/november.pdf",
  })),
  defineOperation({ type: "bench.fails", retentionMs }, async () => {
    throw new Error("the printer is on fire");
  }),
  defineOperation({ type: "bench.hold", retentionMs }, ({ signal }) => {
    const { promise, reject } = Promise.withResolvers<undefined>();
    signal.addEventListener("abort", () => reject(signal.reason));
    return promise;
  }),
];
/** Known, and taken by no worker: they stay pending. */
const parked = [
  defineOperation({ type: "bench.parked", retentionMs }, async () => undefined),
  defineOperation({ type: "bench.blocked", keyLimit: 1, retentionMs }, async () => undefined),
];

const store = await openStore(url);
const engine = new Engine({ store, logger, receiptKeys: openReceiptKeys(join(folder, "receipts")) });
for (const definition of [...operations, ...parked])
  engine.registerType(definition.type, policyOf(definition));
engine.startMaintenance();
const worker = createWorker({
  connection: createInProcessConnection(engine),
  handlers: operations,
  slots: SLOTS,
  name: "bench",
  processFolder: join(folder, "processes"),
  logger,
});
await worker.start();
/** Beside the store's own: for what a suite asks past the engine. */
const pool = new PostgresPool({ url, poolSize: 1 }, 0);
const keyring = new TokenKeyring(store.clock, new TokenKeys(pool, store.clock));

function startRequest(type: string, over: Partial<StartRequest> = {}): StartRequest {
  return {
    ...{ service: SERVICE, tenant: TENANT, idPrefix: "opr", parent: "", type, createdBy: "user:alice" },
    ...{ origin: "bench", description: "", labels: {}, request: null, metadata: null },
    ...{ requestId: "", requestDigest: "", method: "StartOperation", deadline: null },
    ...over,
  };
}

const keyOf = (name: string, tenant: string = TENANT): OperationKey => ({ service: SERVICE, tenant, name });
const never = (): void => {};

async function cancel(key: OperationKey): Promise<void> {
  await engine.cancel({ key, requestedBy: "user:alice", reason: "bench", origin: "bench", graceMs: null });
}

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 6000; tries++) {
    if (await holds()) return;
    await delay(10);
  }
  throw new Error(`not within a minute: ${what}`);
}

const SAMPLES = 100;
const OTHERS = ["globex", "globex", "globex", "initech"];

/**
 * Of a hundred sixty are one tenant's, thirty and ten those of two others; ninety succeed, five fail, five are cancelled, two deleted
 * by a client. All have a request, each second one has labels and a request id, each fourth one metadata.
 */
async function makeSample(index: number): Promise<void> {
  const tenant = OTHERS[Math.floor(index / 10) - 6] ?? TENANT;
  const kind = index % 20 === 0 ? "fails" : index === 41 ? "parked" : index % 20 === 1 ? "hold" : "noop";
  const type = `bench.${kind}`;
  const payload = (name: string, length: number): Payload => ({
    typeUrl: `type.googleapis.com/acme.${name}`,
    bytes: Buffer.alloc(length, `${index} `),
  });
  const { operation } = await engine.start(
    startRequest(type, {
      tenant,
      description: `Report ${index}`,
      labels: index % 2 === 0 ? { env: index % 3 === 0 ? "test" : "prod", team: `team-${index % 7}` } : {},
      request: payload("ReportRequest", 120),
      metadata: index % 4 === 0 ? payload("ReportMetadata", 40) : null,
      ...(index % 2 === 0 && { requestId: randomUUID(), requestDigest: "b".repeat(43) }),
    }),
  );
  const key = keyOf(operation.record.name, tenant);
  if (type === "bench.hold") {
    await eventually("it runs", async () => (await engine.get(key)).record.state === "RUNNING");
  }
  if (type === "bench.hold" || type === "bench.parked") await cancel(key);
  await engine.wait(key, { timeoutMs: 60_000, onCallerGone: never });
  if (index % 50 === 10) await engine.delete({ key, requestedBy: "user:alice", origin: "bench" });
}

async function makeSamples(): Promise<void> {
  for (let index = 0; index < SAMPLES; index += 10)
    await Promise.all(Array.from({ length: 10 }, (_, nth) => makeSample(index + nth)));
  await eventually("all receipts are chained", async () => (await store.unchainedEvents(1)).length === 0);
  await worker.close();
  await engine.close();
  await store.close();
}

/** Operations that wait, and have nobody who runs them: half of them blocked by their keys' limits. */
async function makeBacklog(count: number): Promise<void> {
  for (let done = 0; done < count; done += 500) {
    const requests = Array.from({ length: Math.min(500, count - done) }, (_, index) =>
      index % 2 === 0
        ? startRequest("bench.parked")
        : startRequest("bench.blocked", { concurrencyKey: `key-${index % 20}` }),
    );
    await engine.batchStart(requests);
  }
}

async function time(calls: readonly (() => Promise<unknown>)[]): Promise<Timed> {
  const times: number[] = [];
  for (const call of calls) {
    const began = performance.now();
    await call();
    times.push((performance.now() - began) * 1000);
  }
  return { p50Us: percentile(times, 0.5), p95Us: percentile(times, 0.95) };
}

/** One page from each of these instants on; null: the first page. */
async function timeLists({ filter, orderBy, from }: ScaleQuestion & { ask: "list" }): Promise<Timed> {
  const scope = { service: SERVICE, tenant: TENANT, parent: "", filter, orderBy };
  const key = await keyring.newest();
  const now = store.clock.now();
  const tokens = from.map((createTime) =>
    createTime === null ? "" : sealPageToken(key, scope, { createTime, id: "" }, now),
  );
  return await time(tokens.map((pageToken) => () => engine.list({ ...scope, pageSize: 50, pageToken })));
}

async function timeCancels(what: "pending" | "running", count: number): Promise<Timed> {
  const type = what === "pending" ? "bench.parked" : "bench.hold";
  const started = await engine.batchStart(Array.from({ length: count }, () => startRequest(type)));
  const keys = started.map((one) => {
    if (!("operation" in one)) throw one;
    return keyOf(one.operation.record.name);
  });
  if (what === "running") {
    await eventually("all run", async () =>
      (await Promise.all(keys.map((key) => engine.get(key)))).every(
        ({ record }) => record.state === "RUNNING",
      ),
    );
  }
  const timed = await time(keys.map((key) => () => cancel(key)));
  await Promise.all(keys.map((key) => engine.wait(key, { timeoutMs: 60_000, onCallerGone: never })));
  return timed;
}

/** Whole lives, `inFlight` at a time: how many a second, and how long one took. */
export interface LiveSeen {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

async function live({ inFlight, ms, hasRequestIds }: ScaleQuestion & { ask: "live" }): Promise<LiveSeen> {
  const times: number[] = [];
  const end = performance.now() + ms;
  const loop = async (): Promise<void> => {
    while (performance.now() < end) {
      const over = hasRequestIds ? { requestId: randomUUID(), requestDigest: "b".repeat(43) } : {};
      const began = performance.now();
      const { operation } = await engine.start(startRequest("bench.noop", over));
      const ended = await engine.wait(keyOf(operation.record.name), {
        timeoutMs: 60_000,
        onCallerGone: never,
      });
      if (!isDone(ended.record.state)) throw new Error(`${operation.record.name} is ${ended.record.state}`);
      times.push(performance.now() - began);
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: inFlight }, loop));
  const perSecond = (times.length * 1000) / (performance.now() - began);
  return {
    perSecond,
    p50Ms: percentile(times, 0.5),
    p99Ms: percentile(times, 0.99),
    maxMs: percentile(times, 1),
  };
}

/** Full batches, one after the other, as a node does it whose clock says `now`. */
async function purge(batches: number, now: Instant): Promise<Timed & { perSecond: number }> {
  const reads = new PostgresReads({ connections: pool, clock: { now: () => now } });
  let count = 0;
  const began = performance.now();
  const timed = await time(
    Array.from({ length: batches }, () => async () => {
      count += await reads.purge(500);
    }),
  );
  return { ...timed, perSecond: (count * 1000) / (performance.now() - began) };
}

answerParent<ScaleQuestion>(async (question) => {
  switch (question.ask) {
    case "samples":
      await makeSamples();
      return {};
    case "backlog":
      await makeBacklog(question.count);
      return {};
    case "get":
      return await time(question.names.map((name) => async () => await engine.get(keyOf(name))));
    case "list":
      return await timeLists(question);
    case "cancel":
      return await timeCancels(question.what, question.count);
    case "resume": {
      const { after, names } = question;
      const scope = { service: SERVICE, tenant: TENANT, parent: null, filter: "", limit: 100 };
      return await time(after.map((position) => () => store.readFeed({ ...scope, names, after: position })));
    }
    case "counts":
      return await time(Array.from({ length: question.times }, () => () => store.pendingWork()));
    case "live":
      return await live(question);
    case "purge":
      return await purge(question.batches, question.now);
    case "usage": {
      const { user, system } = process.cpuUsage();
      return { cpuMs: (user + system) / 1000 };
    }
  }
});
tellReady({});
