// CancelOperations over a real server: what it cancels and what it leaves, what it counts, and that it goes on after a stop.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createLogger } from "../../../base/logger.ts";
import type { StartRequest } from "../../../engine/engine.ts";
import { jsonPayload } from "../../../protocol/json-payload.ts";
import { structValue } from "../../../protocol/struct.ts";
import type { JsonObject } from "../../../protocol/worker-connection.ts";
import { type NativeWorld, startNativeWorld } from "../../../testing/native-world.ts";
import { startTestServer } from "../../../testing/test-server.ts";
import { defineOperation } from "../../../worker/worker.ts";
import { type CancelOrder, orderInput } from "./cancel-order.ts";
import { runCancels } from "./cancel-run.ts";
import { CANCEL_OPERATIONS_TYPE, cancelOperationsPolicy } from "./system-type.ts";
import { startSystemWorker } from "./system-worker.ts";

let world: NativeWorld;
before(async () => {
  world = await startNativeWorld();
});
after(() => world.close());

/** Asks for it and waits for its end. */
async function cancelAll(fields: JsonObject, collection = "operations"): Promise<JsonObject> {
  const { name } = await world.ok(`${collection}:cancel`, fields);
  return world.ok(`${name}:wait`, {});
}

const baseOrder: CancelOrder = {
  filter: "",
  reason: "",
  onBehalfOf: "",
  force: false,
  graceMs: null,
  origin: "native/grpc",
  requestId: "req-1",
  uncancellableTypes: [],
};

const countsOf = (operation: JsonObject): unknown => (operation["response"] as JsonObject)["value"];

test("it cancels what matches, counts what it met, and leaves the rest and itself", async () => {
  const labels = { run: "one" };
  const running = await Promise.all([1, 2, 3].map(() => world.startRunning("test.hold", { labels })));
  const pending = await world.start("test.parked", { labels });
  const fixed = await world.startRunning("test.fixed", { labels });
  const other = await world.startRunning("test.hold", { labels: { run: "two" } });
  const ended = await world.start("test.echo", { labels });
  await world.ok(`${ended}:wait`, {});
  const stopping = await world.startRunning("test.stubborn", { labels, cancelPolicy: { grace: "60s" } });
  await world.ok(`${stopping}:cancel`, {});

  const all = await cancelAll({ filter: 'labels.run = "one"', reason: "clean up", onBehalfOf: "user:bob" });
  assert.equal(all["state"], "SUCCEEDED");
  assert.deepEqual(countsOf(all), {
    matched: 6,
    verdicts: { STOPPING: 3, PREVENTED_START: 1, REFUSED_NOT_CANCELLABLE: 1, ALREADY_STOPPING: 1 },
  });
  assert.deepEqual(all["progress"], { percent: 100, message: "6/6" });
  for (const name of [...running, pending]) {
    assert.equal((await world.ok(`${name}:wait`, {}))["state"], "CANCELLED");
  }
  const receipt = await world.ok(`${pending}/receipt`);
  assert.deepEqual(
    [receipt["requestedBy"], receipt["onBehalfOf"], receipt["reason"], receipt["origin"]],
    ["anonymous", "user:bob", "clean up", `native/rest, ${all["name"]}`],
  );
  assert.equal((await world.ok(other))["state"], "RUNNING");
  for (const name of [fixed, other, stopping]) world.finish(name);
});

test("below a parent it cancels that parent's operations alone", async () => {
  const inside = await world.start("test.parked", { parent: "projects/a" });
  const outside = await world.start("test.parked", { parent: "projects/b" });
  const all = await cancelAll({ filter: "done = false" }, "projects/a/operations");
  assert.deepEqual(
    [String(all["name"]).startsWith("projects/a/operations/"), countsOf(all)],
    [true, { matched: 1, verdicts: { PREVENTED_START: 1 } }],
  );
  assert.equal((await world.ok(inside))["state"], "CANCELLED");
  assert.equal((await world.ok(outside))["state"], "PENDING");
});

const refused: readonly [what: string, fields: JsonObject, problem: RegExp][] = [
  ["an empty filter", {}, /filter: is required; to cancel all that runs, write done = false/],
  ["a filter of spaces", { filter: "  " }, /filter: is required/],
  ["a filter that is none", { filter: "state =" }, /filter, column 8/],
  [
    "a filter that closes what it did not open",
    { filter: "done = true) OR (done = false" },
    /filter, column/,
  ],
  ["a reason that is too long", { filter: "done = false", reason: "x".repeat(1025) }, /reason: is 1025/],
  ["a grace that is too long", { filter: "done = false", grace: "601s" }, /grace: is 601 s/],
];

for (const [what, fields, problem] of refused) {
  test(`${what} is refused at the door`, async () => {
    const { status, body } = await world.rest("operations:cancel", fields);
    assert.equal(status, 400);
    assert.match(JSON.stringify(body), problem);
  });
}

test("a repeated request id answers the same operation", async () => {
  const request = { filter: "labels.none = x", requestId: "all-1" };
  const { name } = await world.ok("operations:cancel", request);
  assert.equal((await world.ok("operations:cancel", request))["name"], name);
  const another = await world.rest("operations:cancel", { ...request, filter: "labels.none = y" });
  assert.match(JSON.stringify(another.body), /REQUEST_ID_REUSED/);
});

test("its type is not started by type, and does not run again", async () => {
  const start = await world.rest("operations", {
    type: "belay.cancel-operations",
    payload: { filter: "done = false" },
  });
  assert.match(JSON.stringify(start.body), /OPERATION_TYPE_UNKNOWN/);
  const parked = await world.start("test.parked", { labels: { keep: "yes" } });
  const child = { type: "belay.cancel-operations", payload: { filter: "done = false" } };
  const parent = await world.start("test.parent", { payload: { children: [child] } });
  assert.equal((await world.ok(`${parent}:wait`, {}))["state"], "FAILED");
  const { name } = await world.ok("operations:cancel", { filter: "labels.none = x" });
  await world.ok(`${name}:wait`, {});
  const rerun = await world.rest(`${name}:rerun`, {});
  assert.match(JSON.stringify(rerun.body), /does not run again/);
  assert.equal((await world.ok(parked))["state"], "PENDING");
});

test("a server that stops in the midst leaves it to the next one, which counts nothing twice", async () => {
  const parked = [defineOperation({ type: "test.parked" }, async () => undefined)];
  await using server = await startTestServer({ parked });
  const { engine } = server;
  engine.registerType(CANCEL_OPERATIONS_TYPE, cancelOperationsPolicy);
  const start = async (type: string, changes: Partial<StartRequest> = {}): Promise<string> => {
    const base = { service: "default", tenant: "default", idPrefix: "opr", parent: "", description: "" };
    const said = { createdBy: "user:ada", origin: "native/grpc", labels: {}, metadata: null, method: "test" };
    const none = { request: null, requestId: "", requestDigest: "", deadline: null };
    const { operation } = await engine.start({ ...base, ...said, ...none, type, ...changes });
    return operation.record.name;
  };
  const names = await Promise.all(Array.from({ length: 1100 }, () => start("test.parked")));
  const order = { ...baseOrder, filter: "type = test.parked" };
  const own = await start(CANCEL_OPERATIONS_TYPE, { request: jsonPayload(orderInput(order), "filter") });
  const key = { service: "default", tenant: "default", name: own };
  // Each life is ended as soon as it has written something down.
  let lives = 0;
  for (let isDone = false; !isDone; lives++) {
    const before = (await engine.get(key)).record.progress?.message;
    const system = await startSystemWorker(engine, createLogger("silent"));
    for (;;) {
      const { record } = await engine.get(key);
      isDone = record.doneTime !== null;
      if (isDone || record.progress?.message !== before) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await system[Symbol.asyncDispose]();
    isDone ||= (await engine.get(key)).record.doneTime !== null;
  }
  assert.ok(lives > 1, `${lives} lives`);
  const { record, response } = await engine.get(key);
  assert.equal(record.progress?.message, "1100/1100");
  assert.ok(response);
  assert.deepEqual(structValue(response), { matched: 1100, verdicts: { PREVENTED_START: 1100 } });
  for (const name of [names[0], names.at(-1)]) {
    const { record: one } = await engine.get({ ...key, name: String(name) });
    assert.deepEqual([one.state, one.cancel?.requestedBy], ["CANCELLED", "user:ada"]);
  }
});

test("a batch in which the server died is looked at one by one: its own cancels are known by their origin", async () => {
  const { engine } = world;
  const bulk = await world.start("test.parked", { labels: { is: "the-order" } });
  const own = (await engine.get(world.key(bulk))).record;
  const order = { ...baseOrder, filter: "labels.is = nothing" };
  const [prevented, stopping, byOther, open, fixed] = await Promise.all([
    world.start("test.parked"),
    world.startRunning(),
    world.start("test.parked"),
    world.start("test.parked"),
    world.startRunning("test.fixed"),
  ]);
  const cancel = { requestedBy: own.createdBy, reason: "", graceMs: null };
  const origin = `native/grpc, ${bulk}`;
  for (const name of [prevented, stopping]) await engine.cancel({ ...cancel, key: world.key(name), origin });
  await engine.cancel({ ...cancel, key: world.key(byOther), origin: "native/grpc" });
  const response = await runCancels({
    engine,
    own,
    order,
    tally: {
      counts: { STOPPING: 7 },
      place: null,
      batch: [prevented, stopping, byOther, open, fixed, "operations/purged"].map((name) =>
        name.slice("operations/".length),
      ),
    },
    signal: new AbortController().signal,
    save: async () => {},
  });
  assert.deepEqual(response, {
    matched: 13,
    verdicts: {
      STOPPING: 8,
      PREVENTED_START: 2,
      ALREADY_CANCELLED: 1,
      REFUSED_NOT_CANCELLABLE: 1,
      NOT_FOUND: 1,
    },
  });
  world.finish(fixed);
});
