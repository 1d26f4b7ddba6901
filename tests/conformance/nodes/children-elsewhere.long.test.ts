// A parent in one database, its child in another: two SQLite folders as one store, and workers of which the test says what they
// do. A server that is gone is an engine whose store answers nothing any more.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createLogger } from "../../../src/base/logger.ts";
import { RpcError } from "../../../src/base/rpc-error.ts";
import { StatusCode } from "../../../src/base/status-code.ts";
import { Engine, type EngineChildStart } from "../../../src/engine/engine.ts";
import type { OperationKey, OperationRecord } from "../../../src/engine/operation.ts";
import type { HeldAttempt, Session } from "../../../src/engine/session.ts";
import { CHILD_ELSEWHERE_TYPE } from "../../../src/engine/stand-in.ts";
import type { Store, StorePlaces } from "../../../src/engine/store.ts";
import { jsonPayload } from "../../../src/protocol/json-payload.ts";
import { structValue } from "../../../src/protocol/struct.ts";
import { startSystemWorker } from "../../../src/services/native/cancel-operations/system-worker.ts";
import { RoutedStore } from "../../../src/stores/routed/routed-store.ts";
import { SqliteStore } from "../../../src/stores/sqlite/sqlite-store.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import {
  openSession,
  policy,
  Recording,
  report,
  request,
  stopped,
} from "../../../src/testing/test-engine.ts";

const PARENT = "test.parent";
const CHILD = "test.child";

const SECOND_US = 1_000_000;

/** A worker's end, and its session. */
interface Side {
  transport: Recording;
  session: Session;
}

interface World {
  engine: Engine;
  /** Of parents, in the main database. */
  parents: Side;
  /** Of children, in the other one. */
  children: Side;
  /** While true nothing is committed to the other database. */
  readonly other: { isAway: boolean };
  /** The server is gone, and another one comes; `first` is done before it runs anything. The workers come back to it. */
  restart(first?: (engine: Engine) => Promise<void>): Promise<void>;
}

/** A store that can be cut off from its server, and answers nothing then. */
function cuttable(store: RoutedStore, isCut: () => boolean): Store {
  const { places } = store;
  const never = new Promise<never>(() => {});
  const cut: StorePlaces = {
    stores: places.stores.map((each) => ({
      commit: (commands) => (isCut() ? never : each.commit(commands)),
    })),
    placeOf: (scope) => places.placeOf(scope),
    submit: (command, ports) => places.submit(command, ports),
  };
  return new Proxy<Store>(store, {
    get(target, name) {
      if (name === "places") return cut;
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        const isAsync = !["isTogether", "feedOf", "peekOperation", "follow"].includes(String(name));
        return isCut() && isAsync ? never : value.apply(target, args);
      };
    },
  });
}

async function openWorld(context: TestContext): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "belay-elsewhere-"));
  const main = await SqliteStore.open(join(folder, "main"));
  const other = await SqliteStore.open(join(folder, "other"));
  const commit = other.commit.bind(other);
  const reach = { isAway: false };
  other.commit = async (commands) => {
    if (reach.isAway) throw new RpcError("STORAGE_UNAVAILABLE", {});
    return await commit(commands);
  };
  let life = 0;
  const ends: (() => Promise<void>)[] = [];
  const open = async (first?: (engine: Engine) => Promise<void>): Promise<Engine> => {
    const own = ++life;
    const routes = [{ store: other, services: new Set(["other"]), tenants: null }];
    const store = cuttable(new RoutedStore(main, routes), () => own !== life);
    const logger = createLogger("silent");
    const engine = new Engine({ store, logger });
    engine.registerType(PARENT, policy);
    engine.registerType(CHILD, { ...policy, cancel: { ...policy.cancel, graceMs: 500 } });
    await engine.settleFormerSessions([]);
    await first?.(engine);
    const system = await startSystemWorker(engine, logger);
    engine.startMaintenance();
    ends.push(async () => {
      if (own !== life) return;
      await system[Symbol.asyncDispose]();
      await engine.close();
    });
    return engine;
  };
  const side = async (engine: Engine, type: string): Promise<Side> => {
    const transport = new Recording(true);
    const facts = { kind: "remote", types: [type], leaseMs: 60_000, guarded: true } as const;
    return { transport, session: await openSession(engine, transport, facts) };
  };
  const back = async (engine: Engine, { session, transport }: Side): Promise<Side> => {
    const next = new Recording(true);
    const resumed = await engine.resumeSession(session.id, "worker:w", next, inHand(transport));
    assert.ok(resumed);
    return { transport: next, session: resumed.session };
  };
  const engine = await open();
  const world: World = {
    engine,
    parents: await side(engine, PARENT),
    children: await side(engine, CHILD),
    other: reach,
    async restart(first) {
      life++;
      this.engine = await open(first);
      this.parents = await back(this.engine, this.parents);
      this.children = await back(this.engine, this.children);
    },
  };
  context.after(async () => {
    reach.isAway = false;
    for (const end of ends) await end();
    await main.close();
    await other.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return world;
}

function inHand({ grants }: Recording): HeldAttempt[] {
  return grants.map(({ record: { service, tenant, name, leaseToken: token } }) => ({
    key: { service, tenant, name },
    token,
  }));
}

/** What the worker was granted next, begun. */
async function begin({ transport, session }: Side): Promise<HeldAttempt & { record: OperationRecord }> {
  const grant = await eventually("the grant", () => transport.grants.at(0));
  const { record } = grant;
  const { service, tenant, name, leaseToken: token } = record;
  const attempt = { key: { service, tenant, name }, token };
  await report(session, attempt, { type: "begin" });
  return { ...attempt, record };
}

async function startParent(world: World): Promise<HeldAttempt> {
  await world.engine.start(request({ type: PARENT }));
  return await begin(world.parents);
}

function childOf(parent: HeldAttempt, fields: Partial<EngineChildStart> = {}): EngineChildStart {
  return {
    ...{ parent, policy: "cancel", service: "other", idPrefix: "oth", resource: "", type: CHILD },
    ...{ request: jsonPayload({ order: 7 }, "payload"), metadata: null, requestId: "1", requestDigest: "d" },
    ...{ shared: false, labels: { color: "red" }, description: "the child", deadline: null },
    ...fields,
  } as EngineChildStart;
}

interface Family {
  parent: HeldAttempt;
  /** The name that the handler knows, beside its parent. */
  standIn: OperationKey;
  child: HeldAttempt & { record: OperationRecord };
}

/** A parent whose child runs. */
async function startFamily(world: World, fields: Partial<EngineChildStart> = {}): Promise<Family> {
  const parent = await startParent(world);
  const { record } = await world.engine.startChild(world.parents.session, childOf(parent, fields));
  const { service, tenant, name } = record;
  const standIn = { service, tenant, name };
  const child = await begin(world.children);
  await eventually("the child's name", async () => (await world.engine.detail(standIn)).checkpoint);
  return { parent, standIn, child };
}

function cancelParent({ engine }: World, { key }: HeldAttempt, fields: object = {}): Promise<unknown> {
  return engine.cancel({
    key,
    requestedBy: "user:bob",
    reason: "enough",
    origin: "test",
    graceMs: null,
    ...fields,
  });
}

function waitEnd({ engine }: World, key: OperationKey): Promise<OperationRecord> {
  return engine.wait(key, { timeoutMs: 20_000, onCallerGone() {} }).then(({ record }) => record);
}

test("a child runs in the database of its service, and its response is its stand-in's", async (context) => {
  const world = await openWorld(context);
  const { parent, standIn, child } = await startFamily(world);
  const { engine, children } = world;
  assert.equal(child.key.service, "other");
  assert.equal(child.record.createdBy, "user:ada");
  assert.deepEqual((await engine.detail(child.key)).labels, { color: "red" });
  const own = await engine.detail(standIn);
  assert.equal(own.record.type, CHILD_ELSEWHERE_TYPE);
  assert.equal(own.record.progress?.message, `runs as ${child.key.name} of service other`);
  assert.deepEqual(own.checkpoint && structValue(own.checkpoint), { service: "other", name: child.key.name });
  const response = jsonPayload({ answer: 42 }, "response");
  await report(children.session, child, { type: "complete", response, digest: "r" });
  const ended = await engine.waitChild(
    world.parents.session,
    parent,
    { service: "other", name: standIn.name },
    20_000,
  );
  assert.equal(ended.record.state, "SUCCEEDED");
  assert.deepEqual(ended.response && structValue(ended.response), { answer: 42 });
});

test("a child's start that is sent again finds the same child", async (context) => {
  const world = await openWorld(context);
  const { parent, standIn } = await startFamily(world);
  const { record } = await world.engine.startChild(world.parents.session, childOf(parent));
  assert.equal(record.name, standIn.name);
  assert.equal(world.children.transport.grants.length, 1);
});

test("a child's failure is its stand-in's", async (context) => {
  const world = await openWorld(context);
  const { standIn, child } = await startFamily(world);
  const error = { code: StatusCode.OUT_OF_RANGE, message: "too far", details: [] };
  const failure = {
    retryable: false,
    abortCaused: false,
    evidence: "HANDLER_STOPPED",
    mechanism: "NONE",
  } as const;
  await report(world.children.session, child, { type: "fail", error, digest: "f", ...failure });
  const record = await waitEnd(world, standIn);
  assert.equal(record.state, "FAILED");
  assert.deepEqual(record.outcome?.kind === "error" && record.outcome.status, error);
});

test("a cancel of the parent reaches the child with its reason, and the parent settles last", async (context) => {
  const world = await openWorld(context);
  const { parent, standIn, child } = await startFamily(world);
  const { engine, parents, children } = world;
  await cancelParent(world, parent);
  const [cancel] = await eventually("the child's cancel", () =>
    children.transport.cancels.length > 0 ? children.transport.cancels : undefined,
  );
  assert.equal(cancel?.cause, "parent");
  assert.equal(cancel?.requestedBy, "user:bob");
  assert.equal(cancel?.reason, `parent ${parent.key.name} was cancelled: enough`);
  await report(parents.session, parent, stopped);
  assert.equal((await engine.detail(parent.key)).record.state, "CANCELLING");
  const evidence = { type: "stopped", evidence: "PROCESS_EXITED", mechanism: "SIGTERM" } as const;
  await report(children.session, child, evidence);
  assert.equal((await waitEnd(world, parent.key)).state, "CANCELLED");
  const { record } = await engine.detail(standIn);
  assert.equal(record.state, "CANCELLED");
  assert.equal(record.cancel?.evidence, "PROCESS_EXITED");
  assert.equal(record.cancel?.mechanism, "SIGTERM");
  assert.equal((await engine.detail(child.key)).record.state, "CANCELLED");
});

test("force that comes later is passed on, too", async (context) => {
  const world = await openWorld(context);
  const { parent } = await startFamily(world);
  const { cancels } = world.children.transport;
  await cancelParent(world, parent);
  await eventually("the cancel", () => cancels.some(({ force }) => !force));
  await cancelParent(world, parent, { force: true });
  await eventually("the force", () => cancels.some(({ force }) => force));
});

test("a child that somebody cancels in its own database ends its stand-in in his name", async (context) => {
  const world = await openWorld(context);
  const { standIn, child } = await startFamily(world);
  const { engine, children } = world;
  await cancelParent(world, child);
  await report(children.session, child, stopped);
  const record = await waitEnd(world, standIn);
  assert.equal(record.state, "CANCELLED");
  assert.equal(record.cancel?.requestedBy, "user:bob");
  assert.equal((await engine.detail(standIn)).record.held, null);
});

test("a child that does not confirm its stop makes its family unconfirmed, and late evidence is told to all", async (context) => {
  const world = await openWorld(context);
  const { parent, standIn, child } = await startFamily(world);
  const { engine, parents, children } = world;
  await cancelParent(world, parent);
  await report(parents.session, parent, stopped);
  const record = await waitEnd(world, parent.key);
  assert.equal(record.state, "FAILED");
  assert.match(record.outcome?.kind === "error" ? record.outcome.status.message : "", /^STOP_UNCONFIRMED/);
  assert.notEqual((await engine.detail(standIn)).record.held, null);
  await report(children.session, child, stopped);
  await eventually("the confirmation", async () => {
    const { cancel } = (await engine.detail(parent.key)).record;
    return cancel?.stopConfirmedTime !== null;
  });
  assert.equal((await engine.detail(standIn)).record.held, null);
});

test("a cancel that was committed before the server was gone reaches the child from the next one", async (context) => {
  const world = await openWorld(context);
  const { parent, standIn, child } = await startFamily(world);
  world.other.isAway = true;
  await cancelParent(world, parent);
  await eventually(
    "the sweep",
    async () => (await world.engine.detail(standIn)).record.state === "CANCELLING",
  );
  assert.deepEqual(world.children.transport.cancels, []);
  world.other.isAway = false;
  await world.restart();
  await eventually("the child's cancel", () => world.children.transport.cancels.at(0));
  await report(world.parents.session, parent, stopped);
  await report(world.children.session, child, stopped);
  assert.equal((await waitEnd(world, parent.key)).state, "CANCELLED");
});

test("another server waits on for a child whose server is gone", async (context) => {
  const world = await openWorld(context);
  const { standIn, child } = await startFamily(world);
  await world.restart();
  await eventually("another attempt", async () => {
    const { record } = await world.engine.detail(standIn);
    return record.state === "RUNNING" && record.attempt === 2;
  });
  const response = jsonPayload({ answer: 42 }, "response");
  await report(world.children.session, child, { type: "complete", response, digest: "r" });
  assert.equal((await waitEnd(world, standIn)).state, "SUCCEEDED");
});

test("a stand-in that is pending again while its child may run is never cancelled as one that did not start", async (context) => {
  const world = await openWorld(context);
  const { standIn, child } = await startFamily(world);
  await world.restart(async (engine) => {
    assert.equal((await engine.detail(standIn)).record.state, "PENDING");
    await engine.cancel({ key: standIn, requestedBy: "user:bob", reason: "", origin: "test", graceMs: null });
    assert.equal((await engine.detail(standIn)).record.state, "CANCELLING");
  });
  await eventually("the child's cancel", () => world.children.transport.cancels.at(0));
  await report(world.children.session, child, stopped);
  assert.equal((await waitEnd(world, standIn)).state, "CANCELLED");
});

test("a type that nobody knows, and a child that is shared, are refused", async (context) => {
  const world = await openWorld(context);
  const parent = await startParent(world);
  const { session } = world.parents;
  await assert.rejects(world.engine.startChild(session, childOf(parent, { type: "test.none" })), {
    reason: "OPERATION_TYPE_UNKNOWN",
  });
  await assert.rejects(world.engine.startChild(session, childOf(parent, { shared: true })), {
    reason: "INVALID_FIELD",
    message: /shared/,
  });
});

test("a child that is abandoned runs on after its parent's cancel", async (context) => {
  const world = await openWorld(context);
  const { parent, standIn } = await startFamily(world, { policy: "abandon" });
  await cancelParent(world, parent);
  await report(world.parents.session, parent, stopped);
  assert.equal((await waitEnd(world, parent.key)).state, "CANCELLED");
  assert.equal((await world.engine.detail(standIn)).record.state, "RUNNING");
  assert.deepEqual(world.children.transport.cancels, []);
});

test("a child that is waited for runs to its end after its parent's cancel, and the parent settles last", async (context) => {
  const world = await openWorld(context);
  const deadline = world.engine.clock.now() + 60 * SECOND_US;
  const { parent, standIn, child } = await startFamily(world, { policy: "wait", deadline });
  await cancelParent(world, parent);
  await report(world.parents.session, parent, stopped);
  assert.equal((await world.engine.detail(parent.key)).record.state, "CANCELLING");
  const response = jsonPayload({ answer: 42 }, "response");
  await report(world.children.session, child, { type: "complete", response, digest: "r" });
  assert.equal((await waitEnd(world, parent.key)).state, "CANCELLED");
  assert.equal((await world.engine.detail(standIn)).record.state, "SUCCEEDED");
  assert.deepEqual(world.children.transport.cancels, []);
});

test("a child that is waited for is stopped by its own deadline, and its parent's cancel ends after it", async (context) => {
  const world = await openWorld(context);
  const deadline = world.engine.clock.now() + SECOND_US;
  const { parent, standIn, child } = await startFamily(world, { policy: "wait", deadline });
  await cancelParent(world, parent);
  await report(world.parents.session, parent, stopped);
  const { cause } = await eventually("the deadline", () => world.children.transport.cancels.at(0));
  assert.equal(cause, "deadline");
  assert.equal((await world.engine.detail(parent.key)).record.state, "CANCELLING");
  await report(world.children.session, child, stopped);
  assert.equal((await waitEnd(world, parent.key)).state, "CANCELLED");
  assert.notEqual((await world.engine.detail(standIn)).record.doneTime, null);
});

test("a shorter grace of the parent's cancel is the child's, too", async (context) => {
  const world = await openWorld(context);
  const { parent, child } = await startFamily(world);
  await cancelParent(world, parent, { graceMs: 100 });
  const cancel = await eventually("the child's cancel", () => world.children.transport.cancels.at(0));
  assert.ok(cancel.graceEndTime - cancel.requestTime <= 0.1 * SECOND_US);
  await report(world.parents.session, parent, stopped);
  await report(world.children.session, child, stopped);
  assert.equal((await waitEnd(world, parent.key)).state, "CANCELLED");
});
