// Every method of belay.v1 at its REST paths, over a real server: that the transcoder finds it, and what it answers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { type NativeWorld, startNativeWorld } from "../../testing/native-world.ts";

let world: NativeWorld;
before(async () => {
  world = await startNativeWorld();
});
after(() => world.close());

const PARENTS = ["", "projects/p", "projects/p/locations/l", "projects/p/locations/l/things/t"];

for (const parent of PARENTS) {
  test(`all methods are found below ${parent || "the root"}`, async () => {
    const { ok, rest } = world;
    const collection = parent === "" ? "operations" : `${parent}/operations`;
    const name = await world.start("test.parked", { parent, labels: { at: "here" } });
    assert.ok(name.startsWith(`${collection}/`));
    assert.equal((await ok(name))["name"], name);
    const { operations } = await ok(`${collection}?filter=type%3Dtest.parked&pageSize=1&orderBy=create_time`);
    assert.equal((operations as JsonObject[]).length, 1);
    assert.equal((await ok(`${name}:wait`, { timeout: "0.01s" }))["state"], "PENDING");
    assert.equal((await ok(`${name}:explain`))["state"], "PENDING");
    assert.equal((await ok(`${name}:cancel`, { reason: "no more" }))["verdict"], "PREVENTED_START");
    assert.equal((await ok(`${name}/receipt`))["reason"], "no more");
    assert.equal((await ok(`${name}:rerun`, {}))["rerunOf"], name);
    assert.equal((await rest(`${name}:releaseHold`, { reason: "seen" })).status, 400);
    const all = await ok(`${collection}:cancel`, { filter: "labels.at = here" });
    assert.equal(all["type"], "belay.cancel-operations");
    assert.deepEqual(await ok(name, null, { method: "DELETE" }), {});
    assert.notEqual((await ok(name))["deleteTime"], undefined);
    assert.notEqual((await ok(`${name}:wait`, { timeout: "0.01s" }))["deleteTime"], undefined);
    const shown = await ok(`${collection}?showDeleted=true&filter=name%3D%22${name}%22`);
    assert.equal((shown["operations"] as JsonObject[] | undefined)?.length, 1);
  });
}

test("a batch answers each start by itself, in order", async () => {
  const requests = [
    { type: "test.echo", payload: { a: 1 } },
    { type: "no.such" },
    { type: "test.echo", priority: 101 },
    { type: "test.parked", requestId: "b1" },
    { type: "test.parked", requestId: "b1" },
    { type: "test.parked", requestId: "b1", description: "another" },
  ];
  const { results } = await world.ok("operations:batchStart", { requests });
  const told = (results as JsonObject[]).map(({ operation, error }) => {
    const reason = ((error as JsonObject)?.["details"] as JsonObject[])?.[0]?.["reason"];
    return reason ?? (operation as JsonObject)["type"];
  });
  assert.deepEqual(told, [
    "test.echo",
    "OPERATION_TYPE_UNKNOWN",
    "INVALID_FIELD",
    "test.parked",
    "test.parked",
    "REQUEST_ID_REUSED",
  ]);
  const nameOf = (index: number): unknown =>
    ((results as JsonObject[])[index] as { operation: JsonObject }).operation["name"];
  assert.equal(nameOf(3), nameOf(4));
});

test("a batch of none, or of more than 500, is refused with the limit", async () => {
  for (const count of [0, 501]) {
    const requests = Array.from({ length: count }, () => ({ type: "test.parked" }));
    const { status, body } = await world.rest("operations:batchStart", { requests });
    assert.equal(status, 400);
    assert.match(
      String((body["error"] as JsonObject)["message"]),
      new RegExp(`holds ${count} requests; 1 to 500`),
    );
  }
});

test("a rerun has the same input, and its own id for the same request id", async () => {
  const name = await world.start("test.fail", { payload: { page: 1 }, labels: { team: "a" } });
  await world.ok(`${name}:wait`, {});
  const rerun = await world.ok(`${name}:rerun`, { requestId: "again" });
  assert.deepEqual([rerun["rerunOf"], rerun["payload"], rerun["labels"]], [name, { page: 1 }, { team: "a" }]);
  assert.equal((await world.ok(`${name}:rerun`, { requestId: "again" }))["name"], rerun["name"]);
  const echo = await world.start("test.echo");
  await world.ok(`${echo}:wait`, {});
  const { body } = await world.rest(`${echo}:rerun`, {});
  assert.match(JSON.stringify(body), /NOT_RERUNNABLE/);
});

test("a list goes through all pages, oldest first if asked, and refuses another order", async () => {
  const parent = "folders/pages";
  const names: string[] = [];
  for (let index = 0; index < 5; index++) names.push(await world.start("test.parked", { parent }));
  const seen: unknown[] = [];
  let token = "";
  do {
    const page = await world.ok(`${parent}/operations?pageSize=2&orderBy=create_time&pageToken=${token}`);
    seen.push(...((page["operations"] as JsonObject[]) ?? []).map(({ name }) => name));
    token = String(page["nextPageToken"] ?? "");
  } while (token !== "");
  assert.deepEqual(seen, names);
  const { status, body } = await world.rest(`${parent}/operations?orderBy=name`);
  assert.deepEqual([status, /order_by/.test(JSON.stringify(body))], [400, true]);
});

test("the workers are listed in pages, without the server's own session", async () => {
  const { workers } = await world.ok("workers");
  const [worker, ...others] = workers as JsonObject[];
  assert.deepEqual([worker?.["worker"], worker?.["embedded"], others.length], ["test", true, 0]);
  assert.ok(!JSON.stringify(worker).includes("belay.cancel-operations"));
  assert.equal((await world.rest("workers?pageToken=x")).status, 400);
  assert.equal((await world.rest("workers?pageSize=-1")).status, 400);
});

test("an export of receipts answers a page of the chain", async () => {
  const page = await world.ok("receipts:export?pageSize=10");
  assert.ok(page["entries"] === undefined || Array.isArray(page["entries"]));
  assert.equal((await world.rest("receipts:export?after=-1")).status, 400);
});

test("nothing is held: the release of it is refused, and without a reason so is the call", async () => {
  const name = await world.start("test.parked");
  const { body } = await world.rest(`${name}:releaseHold`, { reason: "seen" });
  assert.match(JSON.stringify(body), /NOT_HELD/);
  assert.match(JSON.stringify((await world.rest(`${name}:releaseHold`, {})).body), /reason: is required/);
});
