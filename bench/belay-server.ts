// The Belay side of the benchmarks: a whole server in a temporary folder, with handlers made for measuring, that
// answers the suite's questions over IPC.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monotonicNs } from "../src/base/clock.ts";
import { makeId } from "../src/base/ids.ts";
import { createLogger } from "../src/base/logger.ts";
import { delay } from "../src/base/timers.ts";
import type { StartCommand } from "../src/engine/commands.ts";
import { Engine, type StartRequest } from "../src/engine/engine.ts";
import type { StoredOperation } from "../src/engine/operation.ts";
import { openReceiptKeys } from "../src/engine/receipts/receipt-keys.ts";
import { createServer } from "../src/server/server.ts";
import { defaultService } from "../src/services/builtin/default.ts";
import { operationBinary } from "../src/services/google/projection.ts";
import { startSystemWorker } from "../src/services/native/cancel-operations/system-worker.ts";
import { createInProcessConnection } from "../src/services/worker/in-process-connection.ts";
import { databasePath } from "../src/stores/sqlite/data-folder.ts";
import { SqliteStore } from "../src/stores/sqlite/sqlite-store.ts";
import { policyOf } from "../src/worker/operation-policy.ts";
import { createWorker, defineOperation, type OperationDefinition } from "../src/worker/worker.ts";
import { answerParent, tellReady } from "./child.ts";

/** What a started server tells. */
export interface Belay {
  address: string;
  /** The file of its database. */
  database: string;
}

type Question =
  | { ask: "doneOperation" | "parkedOperation" | "aborts" | "begins" | "memory" | "release" }
  | {
      ask: "lives" | "singleLives" | "hold" | "waiters" | "fill" | "randomNames";
      count: number;
      inFlight?: number;
    };

const folder = mkdtempSync(join(tmpdir(), "belay-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const aborts: Record<string, string> = {};
const begins: Record<string, string> = {};
const gate = Promise.withResolvers<void>();

const operations: readonly OperationDefinition[] = [
  defineOperation({ type: "bench.noop" }, async () => undefined),
  defineOperation({ type: "bench.begins" }, async ({ name }) => {
    begins[name] = String(monotonicNs());
    return undefined;
  }),
  defineOperation({ type: "bench.answer" }, async () => ({ pages: 3, text: "belay" })),
  defineOperation({ type: "bench.hold" }, async () => {
    await gate.promise;
    return undefined;
  }),
  defineOperation({ type: "bench.until-aborted" }, ({ name, signal }) => {
    const { promise, reject } = Promise.withResolvers<undefined>();
    signal.addEventListener("abort", () => {
      aborts[name] = String(monotonicNs());
      reject(signal.reason);
    });
    return promise;
  }),
];

const logger = createLogger("warn");
const store = await SqliteStore.open(join(folder, "data"), {
  ...(process.argv.includes("--no-cache") ? { cacheBytes: 0 } : {}),
  onFatal: (message: string) => logger.fatal(message),
});
const engine = new Engine({ store, logger, receiptKeys: openReceiptKeys(join(folder, "receipts")) });
for (const definition of operations) engine.registerType(definition.type, policyOf(definition));
// A type that is known and that no worker takes: its operations stay pending.
engine.registerType(
  "bench.parked",
  policyOf(defineOperation({ type: "bench.parked" }, async () => undefined)),
);
const worker = createWorker({
  connection: createInProcessConnection(engine),
  handlers: operations,
  slots: 10_200,
  name: "bench",
  processFolder: join(folder, "processes"),
  logger,
});
await worker.start();
await startSystemWorker(engine, logger);
engine.startMaintenance();
const server = createServer({ engine, logger, host: "127.0.0.1", port: 0 });
const { port } = await server.listen();

const key = (name: string): { service: string; tenant: string; name: string } => ({
  service: "default",
  tenant: "default",
  name,
});

function startRequest(type: string): StartRequest {
  return {
    service: "default",
    tenant: "default",
    idPrefix: "opr",
    parent: "",
    type,
    createdBy: "anonymous",
    origin: "bench",
    description: "",
    labels: {},
    request: null,
    metadata: null,
    requestId: "",
    requestDigest: "",
    method: "bench",
    deadline: null,
  };
}

const never = (): void => {};

async function live(type: string): Promise<StoredOperation> {
  const { operation } = await engine.start(startRequest(type));
  return await engine.wait(key(operation.record.name), { timeoutMs: 60_000, onCallerGone: never });
}

async function lives(count: number, inFlight: number): Promise<number> {
  let left = count;
  const loop = async (): Promise<void> => {
    while (left-- > 0) await live("bench.noop");
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: inFlight }, loop));
  return (count * 1000) / (performance.now() - began);
}

/** The usual way: each change in a transaction of its own, one after the other, on a store of its own. */
async function singleLives(count: number): Promise<number> {
  const path = mkdtempSync(join(folder, "single-"));
  const single = await SqliteStore.open(path, { onFatal: (message: string) => logger.fatal(message) });
  const session = "bench";
  await single.commit([
    {
      type: "openSession",
      session,
      kind: "embedded",
      worker: "",
      build: "",
      principal: "",
      types: ["bench.noop"],
      slots: 1,
      guarded: true,
      bootId: "",
      leaseMs: 0,
    },
  ]);
  const began = performance.now();
  for (let index = 0; index < count; index++) {
    const command = startCommand("bench.noop");
    await single.commit([command]);
    await single.commit([
      { type: "acquire", session, types: ["bench.noop"], limit: 1, guarded: true, begin: true },
    ]);
    const response = { typeUrl: "type.googleapis.com/google.protobuf.Empty", bytes: new Uint8Array() };
    await single.commit([{ type: "complete", key: command.key, session, token: 1, response, digest: "x" }]);
  }
  const perSecond = (count * 1000) / (performance.now() - began);
  await single.close();
  return perSecond;
}

function startCommand(type: string): StartCommand {
  const id = makeId("opr", store.clock.now());
  const policy = policyOf(defineOperation({ type }, async () => undefined));
  return {
    type: "start",
    key: key(`operations/${id}`),
    id,
    parent: "",
    operationType: type,
    createdBy: "anonymous",
    origin: "bench",
    description: "",
    labels: {},
    policy,
    startAfter: 0,
    deadline: null,
    priority: 0,
    concurrencyKey: "",
    supersedeKey: "",
    rerunOf: "",
    parentAttempt: null,
    shared: false,
    request: null,
    metadata: null,
    requestKey: null,
  };
}

const filled: string[] = [];

async function fill(count: number): Promise<void> {
  for (let done = 0; done < count; done += 500) {
    const commands = Array.from({ length: Math.min(500, count - done) }, () => startCommand("bench.parked"));
    await store.commit(commands);
    for (const command of commands) filled.push(command.key.name);
  }
}

/** Drawn with replacement from all that were filled in. */
function randomNames(count: number): string[] {
  return Array.from({ length: count }, () => filled[Math.floor(Math.random() * filled.length)] ?? "");
}

async function eventually(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 3000 && !condition(); tries++) await delay(10);
}

async function answer(question: Question): Promise<unknown> {
  switch (question.ask) {
    case "doneOperation": {
      const operation = await live("bench.answer");
      const binary = operationBinary(operation, defaultService);
      return { name: operation.record.name, binary: Buffer.from(binary).toString("base64") };
    }
    case "parkedOperation": {
      const { operation } = await engine.start(startRequest("bench.parked"));
      return { binary: Buffer.from(operationBinary(operation, defaultService)).toString("base64") };
    }
    case "aborts":
      return { aborts };
    case "begins":
      return { begins };
    case "memory":
      globalThis.gc?.();
      await delay(500);
      return { residentBytes: process.memoryUsage().rss };
    case "release": {
      const committedNs = String(monotonicNs());
      gate.resolve();
      return { committedNs };
    }
    case "lives":
      return { perSecond: await lives(question.count, question.inFlight ?? 100) };
    case "singleLives":
      return { perSecond: await singleLives(question.count) };
    case "hold": {
      const started = await Promise.all(
        Array.from({ length: question.count }, () => engine.start(startRequest("bench.hold"))),
      );
      const names = started.map(({ operation }) => operation.record.name);
      const last = names.at(-1) ?? "";
      let running = false;
      while (!running) {
        running = (await engine.get(key(last))).record.state === "RUNNING";
        await delay(10);
      }
      return { names };
    }
    case "waiters":
      await eventually(() => engine.waiterCount === question.count);
      return { waiters: engine.waiterCount };
    case "fill":
      await fill(question.count);
      return {};
    case "randomNames":
      return { names: randomNames(question.count) };
  }
}

answerParent<Question>(answer);
tellReady({
  address: `127.0.0.1:${port}`,
  database: databasePath(join(folder, "data")),
} satisfies Belay);
