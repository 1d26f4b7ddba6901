// Every unary method of belay.v1.Operations on gRPC and REST, side by side: the same requests, the same outcomes, and what one
// transport has done the other one shows.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import {
  callNative,
  listOf,
  type NativeMethod,
  refusal,
  type Transport,
  transports,
} from "./native-calls.ts";
import { type NativeStage, startNativeStage } from "./native-stage.ts";

let stage: NativeStage;
before(async () => {
  stage = await startNativeStage();
});
after(() => stage.close());

/** Calls on one transport. */
function on(transport: Transport): {
  ok(method: NativeMethod, request?: JsonObject): Promise<JsonObject>;
  refused(method: NativeMethod, request?: JsonObject): Promise<string>;
} {
  return {
    ok: (method, request) => stage.must(transport, method, request),
    refused: async (method, request) => refusal(await callNative(stage.client(), transport, method, request)),
  };
}

const namesOf = (json: JsonObject, field = "operations"): unknown[] =>
  listOf(json, field).map(({ name }) => name);
const sameOnBoth = async (method: NativeMethod, request: JsonObject): Promise<JsonObject> => {
  const [first, second] = await Promise.all(transports.map((each) => on(each).ok(method, request)));
  assert.deepEqual(first, second, `${method} is the same on both transports`);
  return first ?? {};
};

for (const transport of transports) {
  const { ok, refused } = on(transport);
  const other = on(transport === "grpc" ? "rest" : "grpc");
  const parent = `projects/${transport}`;

  describe(transport, () => {
    test("List: every filter on a new field, both orders, and what was deleted", async () => {
      const [low, high] = await Promise.all([
        stage.start("test.parked", { parent, priority: -5, labels: { n: "low" } }),
        stage.start("test.parked", { parent, priority: 7, concurrencyKey: "disk-1", supersedeKey: "build" }),
      ]);
      const newer = await stage.start("test.parked", { parent, supersedeKey: "build" });
      const children = [{ type: "test.hold" }];
      const family = await stage.startRunning("test.parent", { parent, payload: { children } });
      const [child] = namesOf(await ok("getOperation", { name: family }), "children");
      const rerun = String((await ok("rerunOperation", { name: high }))["name"]);
      const stuck = await stage.startRunning("test.stubborn", { parent });
      await ok("cancelOperation", { name: stuck });
      await stage.ended(stuck);
      const session = String((await ok("getOperation", { name: family }))["worker"]);
      const rows: readonly [filter: string, names: readonly unknown[]][] = [
        ["priority > 0", [high, rerun]],
        ["priority = -5", [low]],
        ['concurrency_key = "disk-1"', [high, rerun]],
        ['supersede_key = "build" AND done = true', [high, newer]],
        ["cancel.cause = superseded", [high, newer]],
        [`rerun_of = "${high}"`, [rerun]],
        [`parents:"${family}"`, [child]],
        [`worker = "${session}" AND type = test.parent`, [family]],
        ["held = true", [stuck]],
        ["state = FAILED", [stuck]],
      ];
      for (const [filter, names] of rows) {
        const page = await ok("listOperations", { parent, filter });
        assert.deepEqual(namesOf(page).sort(), [...names].sort(), filter);
      }
      const oldest = namesOf(await ok("listOperations", { parent, orderBy: "create_time" }));
      assert.equal(oldest.length, 7);
      const newest = { parent, orderBy: "create_time desc" };
      assert.deepEqual(namesOf(await ok("listOperations", newest)), oldest.toReversed());
      assert.equal(await refused("listOperations", { parent, orderBy: "name" }), "3 INVALID_FIELD");

      await ok("deleteOperation", { name: low });
      const left = namesOf(await ok("listOperations", { parent }));
      assert.ok(!left.includes(low) && left.length === 6);
      const all = listOf(await ok("listOperations", { parent, showDeleted: true }), "operations");
      assert.ok(all.find(({ name }) => name === low)?.["deleteTime"]);
      stage.finish(stuck);
      for (const name of [family, child]) stage.finish(String(name));
    });

    test("List: pages hold together, whichever transport asks for the next one", async () => {
      const collection = `${parent}/things/pages`;
      const started: string[] = [];
      for (let index = 0; index < 5; index++) {
        started.push(await stage.start("test.parked", { parent: collection }));
      }
      const query = { parent: collection, pageSize: 2, orderBy: "create_time" };
      const seen: unknown[] = [];
      let page = await ok("listOperations", query);
      for (const next of [other, on(transport)]) {
        seen.push(...namesOf(page));
        page = await next.ok("listOperations", { ...query, pageToken: page["nextPageToken"] as string });
      }
      assert.deepEqual([...seen, ...namesOf(page)], started);
      assert.equal(page["nextPageToken"] ?? "", "");
    });

    test("Wait: the end, the state after its timeout, the absent", async () => {
      const name = await stage.startRunning("test.hold", { parent });
      assert.equal((await ok("waitOperation", { name, timeout: "0.05s" }))["state"], "RUNNING");
      const waits = [ok("waitOperation", { name }), other.ok("waitOperation", { name, timeout: "20s" })];
      stage.finish(name);
      for (const { state, done, response } of await Promise.all(waits)) {
        assert.deepEqual([state, done], ["SUCCEEDED", true]);
        assert.deepEqual((response as JsonObject)["value"], { ended: true });
      }
      assert.equal(await refused("waitOperation", { name, timeout: "-1s" }), "3 INVALID_FIELD");
      assert.equal(await refused("waitOperation", { name: "operations/none" }), "5 OPERATION_NOT_FOUND");
    });

    test("Cancel: an etag, a preview, on behalf of somebody, by force", async () => {
      const name = await stage.startRunning("test.stubborn", { parent, cancelPolicy: { grace: "600s" } });
      const { etag } = await ok("getOperation", { name });
      assert.equal(await refused("cancelOperation", { name, etag: '"1"' }), "10 ETAG_MISMATCH");
      const preview = await ok("cancelOperation", { name, etag: String(etag), validateOnly: true });
      assert.deepEqual(
        [preview["verdict"], namesOf(preview["preview"] as JsonObject, "stops")],
        ["STOPPING", [name]],
      );
      assert.equal((await other.ok("getOperation", { name }))["etag"], etag, "a preview changes nothing");
      assert.equal(await refused("getReceipt", { name }), "5 RECEIPT_NOT_FOUND");

      const request = { name, etag: String(etag), reason: "wrong file", onBehalfOf: "user:bob" };
      assert.equal((await ok("cancelOperation", request))["verdict"], "STOPPING");
      assert.equal((await other.ok("cancelOperation", { name }))["verdict"], "ALREADY_STOPPING");
      const forced = await ok("cancelOperation", { name, force: true, reason: "now", wait: "20s" });
      const { state, done, held, cancellation } = forced["operation"] as JsonObject;
      // A handler in the worker's own thread cannot be stopped by force: nobody knows whether it has stopped.
      assert.deepEqual([state, done, held], ["FAILED", true, true]);
      assert.equal((cancellation as JsonObject)["force"], true);

      const receipt = await sameOnBoth("getReceipt", { name });
      const { requestedBy, onBehalfOf, reason, force, origin, outcome } = receipt;
      assert.deepEqual(
        [requestedBy, onBehalfOf, reason, force, origin, outcome],
        ["anonymous", "user:bob", "wrong file", true, `native/${transport}`, "FAILED"],
      );
      const kinds = listOf(receipt, "events").map(({ kind }) => kind);
      assert.equal(kinds[0], "REQUESTED");
      // Of the two that came later only the one that made it stricter.
      assert.equal(kinds.filter((kind) => kind === "REPEATED").length, 1);
      assert.ok(kinds.includes("UNCONFIRMED"));

      assert.equal(await refused("releaseHeldOperation", { name }), "3 INVALID_FIELD");
      const release = { name, reason: "its machine is gone", onBehalfOf: "user:bob" };
      assert.equal((await ok("releaseHeldOperation", release))["held"] ?? false, false);
      assert.equal(await other.refused("releaseHeldOperation", release), "9 NOT_HELD");
      const overridden = listOf(await other.ok("getReceipt", { name }), "events").at(-1);
      assert.deepEqual(
        [overridden?.["kind"], overridden?.["by"], overridden?.["onBehalfOf"]],
        ["OVERRIDDEN", "anonymous", "user:bob"],
      );
      stage.finish(name);
    });

    test("CancelOperations: counts what it met, is found again by its request id", async () => {
      const labels = { batch: `mixed-${transport}` };
      const running = await Promise.all(
        [1, 2].map(() => stage.startRunning("test.hold", { parent, labels })),
      );
      const pending = await stage.start("test.parked", { parent, labels });
      const fixed = await stage.startRunning("test.fixed", { parent, labels });
      const elsewhere = await stage.start("test.parked", { labels });
      const filter = `labels.batch = ${labels.batch}`;
      const request = {
        parent,
        filter,
        reason: "clean up",
        onBehalfOf: "user:bob",
        requestId: `all-${transport}`,
      };
      const { name, type } = await ok("cancelOperations", request);
      assert.equal(type, "belay.cancel-operations");
      assert.equal((await other.ok("cancelOperations", request))["name"], name);
      const { state, response, progress } = await ok("waitOperation", { name: String(name) });
      assert.equal(state, "SUCCEEDED");
      assert.deepEqual((response as JsonObject)["value"], {
        matched: 4,
        verdicts: { STOPPING: 2, PREVENTED_START: 1, REFUSED_NOT_CANCELLABLE: 1 },
      });
      assert.deepEqual(progress, { percent: 100, message: "4/4" });
      for (const each of [...running, pending]) {
        assert.equal((await stage.ended(each))["state"], "CANCELLED");
        const { onBehalfOf, origin } = await ok("getReceipt", { name: each });
        assert.deepEqual([onBehalfOf, origin], ["user:bob", `native/${transport}, ${name}`]);
      }
      assert.equal((await ok("getOperation", { name: elsewhere }))["state"], "PENDING");
      assert.equal(await refused("cancelOperations", { parent, filter: "" }), "3 INVALID_FIELD");
      stage.finish(fixed);
    });

    test("BatchStart: each request has its own outcome, in order", async () => {
      const requests = [
        { type: "test.parked", parent, requestId: `one-${transport}` },
        { type: "no.such" },
        { type: "test.parked", parent, requestId: `one-${transport}` },
        { type: "test.parked", parent, requestId: `one-${transport}`, description: "another" },
        { type: "test.parked", parent: "nonsense" },
        { type: "test.parked", parent, priority: 3 },
      ];
      const results = listOf(await ok("batchStartOperations", { requests }), "results");
      const told = results.map(({ operation, error }) => {
        if (operation) return (operation as JsonObject)["state"];
        const { code, details } = error as { code: number; details: JsonObject[] };
        return `${code} ${details.find((detail) => "reason" in detail)?.["reason"]}`;
      });
      assert.deepEqual(told, [
        "PENDING",
        "3 OPERATION_TYPE_UNKNOWN",
        "PENDING",
        "3 REQUEST_ID_REUSED",
        "3 INVALID_FIELD",
        "PENDING",
      ]);
      const [first, , third] = results.map(
        ({ operation }) => (operation as JsonObject | undefined)?.["name"],
      );
      assert.equal(first, third);
      assert.equal(await refused("batchStartOperations", { requests: [] }), "3 INVALID_FIELD");
    });

    test("Rerun: the same input anew, once for a request id", async () => {
      const name = await stage.start("test.fail", { parent, payload: { page: 1 }, labels: { a: "b" } });
      await stage.ended(name);
      const rerun = await ok("rerunOperation", { name, requestId: `again-${transport}` });
      assert.deepEqual(
        [rerun["rerunOf"], rerun["payload"], rerun["labels"]],
        [name, { page: 1 }, { a: "b" }],
      );
      const again = await other.ok("rerunOperation", { name, requestId: `again-${transport}` });
      assert.equal(again["name"], rerun["name"]);
      const done = await stage.start("test.echo", { parent });
      await stage.ended(done);
      assert.equal(await refused("rerunOperation", { name: done }), "9 NOT_RERUNNABLE");
    });

    test("a bulk cancel is itself cancelled: it stops where it is, and what it did stays done", async () => {
      const labels = { batch: `many-${transport}` };
      const requests = Array.from({ length: 500 }, () => ({ type: "test.parked", parent, labels }));
      for (let round = 0; round < 3; round++) await ok("batchStartOperations", { requests });
      const filter = `labels.batch = ${labels.batch}`;
      const name = String((await ok("cancelOperations", { parent, filter }))["name"]);
      const { verdict } = await other.ok("cancelOperation", { name, wait: "20s" });
      assert.ok(verdict === "STOPPING" || verdict === "PREVENTED_START", String(verdict));
      assert.equal((await stage.ended(name))["state"], "CANCELLED");
      const left = { parent, filter: `${filter} AND done = false`, pageSize: 1000 };
      const open = listOf(await ok("listOperations", left), "operations").length;
      assert.ok(open > 0, "some were left");
      assert.equal(listOf(await ok("listOperations", left), "operations").length, open);
    });
  });
}

test("what is read is the same message on both transports", async () => {
  const parent = "projects/same";
  const children = [{ type: "test.hold" }, { type: "test.hold", policy: "abandon" }];
  const family = await stage.startRunning("test.parent", { parent, payload: { children }, priority: 2 });
  const failed = await stage.start("test.fail", { parent, concurrencyKey: "k", keyLimit: 2 });
  await stage.ended(failed);
  const cancelled = await stage.start("test.parked", { parent });
  await stage.ok(`${cancelled}:cancel`, { reason: "no more" });
  for (const name of [family, failed, cancelled]) await sameOnBoth("getOperation", { name });
  const { operations } = await sameOnBoth("listOperations", { parent });
  assert.equal((operations as JsonObject[]).length, 5);
  await sameOnBoth("getReceipt", { name: cancelled });
  const { workers } = await sameOnBoth("listWorkers", {});
  const [worker, ...others] = workers as JsonObject[];
  assert.deepEqual([worker?.["worker"], worker?.["embedded"], others.length], ["test", true, 0]);
  for (const { name } of (await stage.ok(family))["children"] as JsonObject[]) stage.finish(String(name));
  stage.finish(family);
});
