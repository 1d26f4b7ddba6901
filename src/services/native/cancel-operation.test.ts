// CancelOperation over a real server: what its fields do, and that a preview says the truth and changes nothing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { type NativeWorld, startNativeWorld } from "../../testing/native-world.ts";

let world: NativeWorld;
before(async () => {
  world = await startNativeWorld();
});
after(() => world.close());

const reasonOf = (body: JsonObject): unknown =>
  ((body["error"] as JsonObject)["details"] as JsonObject[])[0]?.["reason"];

test("who asked, for whom, in which request and why is on the receipt", async () => {
  const name = await world.startRunning();
  const request = { reason: "wrong file", onBehalfOf: "user:bob", wait: "10s" };
  const { body } = await world.rest(`${name}:cancel`, request, { headers: { "x-request-id": "req-77" } });
  assert.equal(body["verdict"], "STOPPING");
  const receipt = await world.ok(`${name}/receipt`);
  const { requestedBy, onBehalfOf, requestId, reason, origin } = receipt;
  assert.deepEqual(
    [requestedBy, onBehalfOf, requestId, reason, origin],
    ["anonymous", "user:bob", "req-77", "wrong file", "native/rest"],
  );
  const [first] = receipt["events"] as JsonObject[];
  assert.deepEqual(
    [first?.["kind"], first?.["onBehalfOf"], first?.["requestId"]],
    ["REQUESTED", "user:bob", "req-77"],
  );
});

test("in the google dialect the header says for whom", async () => {
  const name = await world.startRunning();
  const cancel = (header: string): Promise<Response> =>
    fetch(`${world.url}/v1/${name}:cancel`, { method: "POST", headers: { "x-belay-on-behalf-of": header } });
  assert.equal((await cancel("x".repeat(257))).status, 400);
  const answer = await cancel("user:bob");
  assert.deepEqual([answer.status, answer.headers.get("belay-cancel-verdict")], [200, "STOPPING"]);
  assert.equal((await world.ok(`${name}/receipt`))["onBehalfOf"], "user:bob");
});

test("an etag that is not the present one cancels nothing", async () => {
  const name = await world.startRunning();
  const { etag } = await world.ok(name);
  const { status, body } = await world.rest(`${name}:cancel`, { etag: '"1"' });
  assert.deepEqual([status, reasonOf(body)], [409, "ETAG_MISMATCH"]);
  assert.equal((await world.ok(name))["state"], "RUNNING");
  for (const malformed of ["1", 'W/"1"', '"x"']) {
    assert.equal(reasonOf((await world.rest(`${name}:cancel`, { etag: malformed })).body), "INVALID_FIELD");
  }
  assert.equal((await world.ok(`${name}:cancel`, { etag: String(etag) }))["verdict"], "STOPPING");
});

test("force escalates a cancel that was cooperative", async () => {
  const name = await world.startRunning("test.stubborn", { cancelPolicy: { grace: "600s" } });
  await world.ok(`${name}:cancel`, {});
  const before = (await world.ok(name))["cancellation"] as JsonObject;
  assert.equal(before["force"], undefined);
  assert.equal((await world.ok(`${name}:cancel`, { force: true }))["verdict"], "ALREADY_STOPPING");
  const forced = (await world.ok(name))["cancellation"] as JsonObject;
  assert.equal(forced["force"], true);
  assert.ok(String(forced["cancelDeadline"]) < String(before["cancelDeadline"]));
  world.finish(name);
});

const limits: readonly [field: string, body: JsonObject][] = [
  ["reason", { reason: "x".repeat(1025) }],
  ["on_behalf_of", { onBehalfOf: "x".repeat(257) }],
  ["grace", { grace: "601s" }],
  ["wait", { wait: "-1s" }],
];

for (const [field, body] of limits) {
  test(`a ${field} beyond its limit is refused, and nothing is cancelled`, async () => {
    const name = await world.start("test.parked");
    const answer = await world.rest(`${name}:cancel`, body);
    assert.deepEqual([answer.status, reasonOf(answer.body)], [400, "INVALID_FIELD"]);
    assert.ok(JSON.stringify(answer.body).includes(`"field":"${field}"`));
    assert.equal((await world.ok(name))["state"], "PENDING");
  });
}

const previews: readonly [what: string, type: string, verdict: string][] = [
  ["a pending operation", "test.parked", "PREVENTED_START"],
  ["a running one", "test.hold", "STOPPING"],
];

for (const [what, type, verdict] of previews) {
  test(`the preview of ${what} is ${verdict}, and leaves it as it was`, async () => {
    const name = type === "test.hold" ? await world.startRunning() : await world.start(type);
    const { etag } = await world.ok(name);
    const { preview, ...answer } = await world.ok(`${name}:cancel`, { validateOnly: true, reason: "?" });
    assert.equal(answer["verdict"], verdict);
    const { stops, stopCount } = preview as JsonObject;
    assert.deepEqual([(stops as JsonObject[])[0]?.["name"], stopCount], [name, 1]);
    assert.equal((await world.ok(name))["etag"], etag);
    assert.equal((await world.rest(`${name}/receipt`)).status, 404);
  });
}

test("the preview of a done operation stops nothing", async () => {
  const name = await world.start("test.echo");
  await world.ok(`${name}:wait`, {});
  const { verdict, preview } = await world.ok(`${name}:cancel`, { validateOnly: true, force: true });
  assert.deepEqual([verdict, preview], ["TOO_LATE_SUCCEEDED", {}]);
});

test("a preview throws what the cancel would", async () => {
  const fixed = await world.startRunning("test.fixed");
  assert.equal(
    reasonOf((await world.rest(`${fixed}:cancel`, { validateOnly: true })).body),
    "OPERATION_NOT_CANCELLABLE",
  );
  const etag = { validateOnly: true, etag: '"999"' };
  assert.equal(reasonOf((await world.rest(`${fixed}:cancel`, etag)).body), "OPERATION_NOT_CANCELLABLE");
  const name = await world.start("test.parked");
  assert.equal(reasonOf((await world.rest(`${name}:cancel`, etag)).body), "ETAG_MISMATCH");
  assert.equal((await world.rest("operations/none:cancel", { validateOnly: true })).status, 404);
  world.finish(fixed);
});

test("a preview tells how long cancels of the type have taken", async () => {
  const names = await Promise.all([1, 2, 3].map(() => world.startRunning()));
  for (const name of names) await world.ok(`${name}:cancel`, { wait: "10s" });
  const next = await world.startRunning();
  const { preview } = await world.ok(`${next}:cancel`, { validateOnly: true });
  const { historyCount, expectedTime, expectedTimeMost } = preview as JsonObject;
  assert.ok(Number(historyCount) >= 3);
  assert.match(`${expectedTime} ${expectedTimeMost}`, /^[\d.]+s [\d.]+s$/);
});

test("a preview walks the children as the cancel would, and a cancel does what the preview said", async () => {
  const children = [
    { type: "test.parent", payload: { children: [{ type: "test.hold" }] } },
    { type: "test.hold", policy: "abandon" },
    { type: "test.hold", policy: "wait", deadlineMs: 600_000 },
  ];
  const name = await world.startRunning("test.parent", { payload: { children } });
  const [below, abandoned, awaited] = (await world.ok(name))["children"] as JsonObject[];
  assert.deepEqual(
    [below?.["policy"], abandoned?.["policy"], awaited?.["policy"]],
    ["CANCEL", "ABANDON", "WAIT"],
  );
  // Its own child is there when it holds.
  while (((await world.ok(String(below?.["name"])))["childCount"] ?? 0) === 0);
  const { preview } = await world.ok(`${name}:cancel`, { validateOnly: true });
  const { stops, stopCount, runsOn, notes } = preview as JsonObject;
  assert.deepEqual(
    [stopCount, (stops as JsonObject[]).map(({ type }) => type)],
    [3, ["test.parent", "test.parent", "test.hold"]],
  );
  assert.deepEqual(
    (runsOn as JsonObject[]).map(({ name: child }) => child),
    [abandoned?.["name"], awaited?.["name"]],
  );
  assert.match(JSON.stringify(notes), /1 of its children/);

  await world.ok(`${name}:cancel`, {});
  for (const stopped of (stops as JsonObject[]).slice(1)) {
    assert.equal((await world.ok(`${stopped["name"]}:wait`, {}))["state"], "CANCELLED");
  }
  const waiting = await world.ok(`${name}:explain`);
  assert.deepEqual(
    (waiting["reasons"] as JsonObject[]).map(({ code, about }) => [code, about]),
    [["CHILDREN", [awaited?.["name"]]]],
  );
  assert.equal(((await world.ok(name))["cancellation"] as JsonObject)["phase"], "CHILDREN");
  for (const kept of [abandoned, awaited]) {
    assert.equal((await world.ok(String(kept?.["name"])))["state"], "RUNNING");
    world.finish(String(kept?.["name"]));
  }
  assert.equal((await world.ok(`${name}:wait`, {}))["state"], "CANCELLED");
  const receipt = await world.ok(`${name}/receipt`);
  assert.deepEqual(
    (receipt["children"] as JsonObject[]).map(({ name: child }) => child),
    [below?.["name"]],
  );
  const ofChild = await world.ok(`${below?.["name"]}/receipt`);
  assert.deepEqual([ofChild["cause"], (ofChild["parents"] as JsonObject[])[0]?.["name"]], ["parent", name]);
});
