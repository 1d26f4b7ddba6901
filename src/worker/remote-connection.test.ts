// A worker and a server that speak belay.v1.Workers with each other over real sockets: the same handlers as in process, a
// stream that breaks, a server that is told to stop, a session that is lost.
import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { pino } from "pino";
import { monotonicMs } from "../base/clock.ts";
import type { StoredOperation } from "../engine/operation.ts";
import { structPayload } from "../protocol/struct.ts";
import type { JsonObject } from "../protocol/worker-connection.ts";
import { eventually } from "../testing/eventually.ts";
import { startTestServer, type TestServer } from "../testing/test-server.ts";
import { createWorker, defineOperation, type OperationContext, type Worker } from "./worker.ts";

/** What the worker logs, line by line. */
const logged: string[] = [];
const logger = pino({ base: null }, { write: (line: string) => void logged.push(line) });
let server: TestServer;
let proxy: Proxy;
let worker: Worker;

/** The attempts under way, by the operation's name. */
const running = new Map<string, { context: OperationContext; finish(response: JsonObject): void }>();

const hold = async (context: OperationContext): Promise<JsonObject> => {
  const { promise, resolve, reject } = Promise.withResolvers<JsonObject>();
  running.set(context.name, { context, finish: resolve });
  context.signal.addEventListener("abort", () => reject(context.signal.reason));
  return await promise;
};
const held = defineOperation({ type: "test.held", maxAttempts: 3, graceMs: 5_000 }, hold);
const timed = defineOperation({ type: "test.timed", attemptTimeoutMs: 1_000 }, hold);
const echo = defineOperation({ type: "test.echo" }, async (_, input) => input);
const big = defineOperation({ type: "test.big" }, async () => ({ text: "x".repeat(300_000) }));

/** Between the worker and the server: it can be cut, and let nothing through. */
interface Proxy {
  port: number;
  cut(): void;
  close(): void;
  isBlocked: boolean;
  /** Connections that were let go while it was blocked. */
  refused: number;
}

async function startProxy(target: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const proxied: Proxy = {
    port: 0,
    isBlocked: false,
    refused: 0,
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    close() {
      proxied.cut();
      listener.close();
    },
  };
  const listener = createServer((socket) => {
    if (proxied.isBlocked) {
      proxied.refused++;
      socket.destroy();
      return;
    }
    const upstream = connect(target, "127.0.0.1");
    for (const [from, to] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      sockets.add(from);
      from.on("error", () => {});
      from.once("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  proxied.port = (listener.address() as AddressInfo).port;
  return proxied;
}

before(async () => {
  server = await startTestServer();
  proxy = await startProxy(server.port);
  worker = createWorker({
    server: `127.0.0.1:${proxy.port}`,
    handlers: [held, echo, big],
    slots: 20,
    name: "far",
    leaseMs: 3_000,
    logger,
  });
  await worker.start();
});
after(async () => {
  await worker.close();
  proxy.close();
  await server.close();
});

async function start(type: string, payload: JsonObject = {}): Promise<StoredOperation["record"]> {
  const { operation } = await server.engine.start({
    service: "default",
    tenant: "default",
    idPrefix: "opr",
    parent: "",
    type,
    createdBy: "user:ada",
    origin: "test",
    description: "",
    labels: {},
    request: structPayload(payload),
    metadata: null,
    requestId: "",
    requestDigest: "",
    method: "test",
    deadline: null,
  });
  return operation.record;
}

async function end(record: StoredOperation["record"]): Promise<StoredOperation> {
  return await server.engine.wait(record, { timeoutMs: 8_000, onCallerGone() {} });
}

async function cancel(record: StoredOperation["record"]): Promise<void> {
  await server.engine.cancel({
    key: record,
    requestedBy: "user:bob",
    reason: "enough",
    origin: "test",
    graceMs: null,
  });
}

const attemptOf = (
  record: StoredOperation["record"],
): Promise<{ context: OperationContext; finish(response: JsonObject): void }> =>
  eventually(`${record.name} runs`, () => running.get(record.name));

test("work starts on a worker of another process, and its response comes back", async () => {
  const { record, response } = await end(await start("test.echo", { a: [1, "b"] }));
  assert.equal(record.state, "SUCCEEDED");
  assert.equal(record.attempt, 1);
  assert.deepEqual(response, structPayload({ a: [1, "b"] }));
});

test("a cancel aborts the handler with who and why, and ends with its evidence", async () => {
  const record = await start("test.held");
  const { context } = await attemptOf(record);
  await cancel(record);
  const stopped = await end(record);
  assert.equal(context.signal.reason.kind, "cancel");
  assert.equal(context.signal.reason.requestedBy, "user:bob");
  assert.equal(context.signal.reason.reason, "enough");
  assert.equal(stopped.record.state, "CANCELLED");
  assert.equal(stopped.record.cancel?.evidence, "HANDLER_STOPPED");
});

test("progress and checkpoints are stored while it runs", async () => {
  const record = await start("test.held");
  const { context, finish } = await attemptOf(record);
  context.progress(40, "on page 4");
  await context.checkpoint({ page: 4 });
  const { record: seen, checkpoint } = await server.engine.detail(record);
  assert.deepEqual(seen.progress, { percent: 40, message: "on page 4" });
  assert.deepEqual(checkpoint, structPayload({ page: 4 }));
  finish({});
  await end(record);
});

test("a response that is too large fails the operation, and not the worker", async () => {
  const { record } = await end(await start("test.big"));
  assert.equal(record.state, "FAILED");
  assert.match(record.outcome?.kind === "error" ? record.outcome.status.message : "", /response/);
});

test("a broken stream loses nothing: running work goes on, and its end is told on the next stream", async () => {
  const record = await start("test.held");
  const { context, finish } = await attemptOf(record);
  logged.length = 0;
  proxy.refused = 0;
  const cutMs = monotonicMs();
  proxy.isBlocked = true;
  proxy.cut();
  finish({ after: "the break" }); // reported while there is no stream
  await eventually("the server has seen the break", async () =>
    (await server.engine.workers()).some(({ worker: name, connected }) => name === "far" && !connected),
  );
  await eventually("several tries", () => proxy.refused >= 3);
  const lines = logged.filter((line) => /stream to the server broke|cannot be reached/.test(line));
  assert.ok(lines.length >= 1 && lines.length <= 1 + (monotonicMs() - cutMs) / 1000, lines.join(""));
  assert.ok(!logged.some((line) => line.includes('"stack"')), logged.join(""));
  proxy.isBlocked = false;
  const { record: done } = await end(record);
  assert.equal(done.state, "SUCCEEDED");
  assert.equal(done.attempt, 1);
  assert.equal(context.signal.aborted, false);
});

test("a cancel that is committed while the stream is broken reaches the handler afterwards", async () => {
  const record = await start("test.held");
  const { context } = await attemptOf(record);
  proxy.isBlocked = true;
  proxy.cut();
  await cancel(record);
  assert.equal(context.signal.aborted, false);
  proxy.isBlocked = false;
  assert.equal((await end(record)).record.state, "CANCELLED");
});

test("an attempt whose time was over during the break is stopped when the worker is back", async (t) => {
  // Its lease outlasts every break: the end of a lease would stop the work, too.
  const patient = createWorker({
    server: `127.0.0.1:${proxy.port}`,
    handlers: [timed],
    name: "patient",
    leaseMs: 60_000,
    logger,
  });
  t.after(() => patient.close());
  await patient.start();
  const sessionOf = async (): Promise<string | undefined> =>
    (await server.engine.workers()).find(({ worker: name }) => name === "patient")?.session;
  const record = await start("test.timed");
  const { context } = await attemptOf(record);
  const session = await sessionOf();
  proxy.isBlocked = true;
  proxy.cut();
  assert.equal((await end(record)).record.state, "FAILED");
  assert.equal(context.signal.aborted, false);
  proxy.isBlocked = false;
  await eventually("the handler is told", () => context.signal.aborted);
  assert.equal(context.signal.reason.kind, "lease-lost");
  assert.equal(await sessionOf(), session);
});

test("all slots are there again after streams that broke at any time", async () => {
  const records = await Promise.all(Array.from({ length: 60 }, () => start("test.echo")));
  proxy.cut();
  const done = await Promise.all(records.map(end));
  assert.deepEqual(new Set(done.map(({ record }) => record.state)), new Set(["SUCCEEDED"]));
  const view = await eventually("no slot is in use", async () =>
    (await server.engine.workers()).find(({ worker: name, free }) => name === "far" && free === 20),
  );
  assert.equal(view.connected, true);
});

test("a lost session aborts the work, which another attempt takes up in a new session", async () => {
  const record = await start("test.held");
  const { context } = await attemptOf(record);
  running.delete(record.name);
  proxy.isBlocked = true;
  proxy.cut();
  await eventually("the lease has passed", () => context.signal.aborted);
  assert.equal(context.signal.reason.kind, "lease-lost");
  proxy.isBlocked = false;
  const again = await attemptOf(record);
  assert.equal(again.context.attempt, 2);
  again.finish({});
  assert.equal((await end(record)).record.state, "SUCCEEDED");
});

test("a draining worker gets nothing more, and finishes what it has", async () => {
  const record = await start("test.held");
  const { finish } = await attemptOf(record);
  const drained = worker.drain(5_000);
  await eventually("the server knows", async () =>
    (await server.engine.workers()).some(({ worker: name, free }) => name === "far" && free === 0),
  );
  const later = await start("test.echo");
  finish({});
  await drained;
  assert.equal((await end(record)).record.state, "SUCCEEDED");
  assert.equal((await server.engine.get(later)).record.state, "PENDING");
  await worker.close();
  assert.deepEqual(
    (await server.engine.workers()).filter(({ worker: name }) => name === "far"),
    [],
  );
});
