// WatchOperations from outside: on gRPC and as server-sent events the same events, each visible change of an operation once and
// none left out, however the watch begins, breaks off and goes on.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { type OpenWatch, openWatch } from "../wire/watch-client.ts";
import { listOf, type Transport, transports } from "./native-calls.ts";
import { type NativeStage, startNativeStage } from "./native-stage.ts";

let stage: NativeStage;
before(async () => {
  stage = await startNativeStage();
});
after(() => stage.close());

const watch = (transport: Transport, request: JsonObject): OpenWatch =>
  openWatch(stage.client(), transport, request);

/** Fails unless the revisions of each operation follow each other, from the first one that was told. */
function assertGapFree(told: readonly string[]): void {
  const last = new Map<string, number>();
  for (const one of told) {
    const [name = "", etag = ""] = one.split(" ");
    const revision = Number(etag.slice(1, -1));
    assert.equal(revision, (last.get(name) ?? revision - 1) + 1, `after ${last.get(name)}: ${one}`);
    last.set(name, revision);
  }
}

/** Something of everything: runs, ends, is cancelled before and while it runs, by force, is deleted. */
async function liveThrough(parent: string): Promise<string> {
  const [pending, running, ended] = await Promise.all([
    stage.start("test.parked", { parent }),
    stage.startRunning("test.hold", { parent }),
    stage.start("test.echo", { parent, payload: { a: 1 } }),
  ]);
  const finished = await stage.startRunning("test.hold", { parent });
  await stage.ok(`${pending}:cancel`, { reason: "no more" });
  await stage.ok(`${running}:cancel`, { wait: "20s" });
  stage.finish(finished);
  await Promise.all([finished, ended].map((name) => stage.ended(name)));
  await stage.ok(ended, null, { method: "DELETE" });
  return stage.start("test.parked", { parent });
}

test("both transports tell the same events, in the same order, without a gap", async () => {
  const parent = "projects/both";
  const watches = await Promise.all(transports.map((each) => watch(each, { parent }).begun()));
  const last = await liveThrough(parent);
  for (const each of watches) await each.tells(last, "PENDING");
  const [grpc, rest] = watches.map(({ told }) => told);
  assert.deepEqual(grpc, rest);
  assertGapFree(grpc ?? []);
  for (const each of watches) {
    const firsts = new Map(each.events.map(({ name, etag }) => [name, etag] as const).reverse());
    assert.deepEqual(new Set(firsts.values()), new Set(['"1"']), "each is told from its start on");
    for (const { event, resumeToken } of each.messages) {
      assert.notEqual(resumeToken ?? "", "", "each message says where to go on");
      if (event) assert.ok((event as JsonObject)["time"]);
    }
    each.close();
  }
});

for (const transport of transports) {
  const other: Transport = transport === "grpc" ? "rest" : "grpc";
  describe(transport, () => {
    test("a watch that breaks off anywhere goes on after its last message, on either transport", async () => {
      const parent = `projects/resume-${transport}`;
      const whole = await watch(transport, { parent }).begun();
      const last = await liveThrough(parent);
      await whole.tells(last, "PENDING");
      const { told } = whole;
      const cuts = [0, 3, told.length - 1];
      for (const [index, message] of whole.messages.entries()) {
        const before = whole.messages.slice(0, index + 1).filter(({ event }) => event).length;
        if (!cuts.includes(before)) continue;
        for (const again of [transport, other]) {
          const resumed = watch(again, { parent, resumeToken: message.resumeToken, initial: true });
          await resumed.tells(last, "PENDING");
          assert.deepEqual(resumed.told, told.slice(before), `after ${before} events, on ${again}`);
          assert.ok(resumed.messages.every(({ initialEnd }) => !initialEnd));
          resumed.close();
        }
      }
      whole.close();
    });

    test("a filter tells what matches as it stands; the token moves on where nothing does", async () => {
      const parent = `projects/filter-${transport}`;
      const filter = "labels.team = ads AND state = CANCELLED";
      const one = await watch(transport, { parent, filter }).begun();
      const mine = await stage.start("test.parked", { parent, labels: { team: "ads" } });
      const foreign = await stage.start("test.parked", { parent, labels: { team: "other" } });
      for (const name of [foreign, mine]) await stage.ok(`${name}:cancel`, {});
      await one.tells(mine, "CANCELLED");
      assert.deepEqual(one.told, [`${mine} "2" CANCELLED`]);
      one.close();
      const refused = await watch(transport, { parent, filter: "state =" }).ended;
      assert.deepEqual([refused?.code, refused?.reason], [3, "INVALID_FILTER"]);
    });

    test("a snapshot and its changes leave nothing out and tell nothing twice while operations change", async () => {
      const parent = `projects/busy-${transport}`;
      const count = 200;
      const requests = Array.from({ length: count }, () => ({ type: "test.parked", parent }));
      const { results } = await stage.must("grpc", "batchStartOperations", { requests });
      const names = (results as { operation: { name: string } }[]).map(({ operation }) => operation.name);
      const cancels = names.map((name) => stage.must("grpc", "cancelOperation", { name }));
      const watches: OpenWatch[] = [];
      // One after the other, so that they begin at different moments of the storm.
      for (let begun = 0; begun < 4; begun++) {
        watches.push(await watch(transport, { parent, initial: true }).begun());
      }
      await Promise.all(cancels);
      const last = await stage.start("test.parked", { parent });
      for (const each of watches) {
        await each.tells(last, "PENDING");
        const { told } = each;
        assert.equal(new Set(told).size, told.length, "a revision was told twice");
        assertGapFree(told);
        for (const name of names) assert.ok(told.includes(`${name} "2" CANCELLED`), `${name} was left out`);
        const end = each.messages.findIndex(({ initialEnd }) => initialEnd);
        const known = each.messages.slice(0, end).map(({ event }) => (event as JsonObject)["name"]);
        assert.deepEqual(new Set(known).size, known.length, "the snapshot names an operation once");
        assert.ok(names.every((name) => known.includes(name)));
        each.close();
      }
    });

    test("names: the present states of all, of the unknown their names alone, then changes", async () => {
      const [one, two] = await Promise.all([stage.start("test.parked"), stage.start("test.parked")]);
      const open = watch(transport, { names: [one, two, "operations/none"], initial: true });
      await open.until("the end of the snapshot", () => open.messages.some(({ initialEnd }) => initialEnd));
      const present = open.events.map(({ name, state = "" }) => `${name} ${state}`).sort();
      assert.deepEqual(
        present.map((text) => text.replace(" STATE_UNSPECIFIED", " ")),
        [`${one} PENDING`, `${two} PENDING`, "operations/none "].sort(),
      );
      await stage.ok(`${two}:cancel`, {});
      await open.tells(two, "CANCELLED");
      open.close();
      const lone = await watch(transport, { names: ["operations/none"] }).ended;
      assert.deepEqual([lone?.code, lone?.reason], [5, "OPERATION_NOT_FOUND"]);
    });
  });
}

test("a thousand names are watched at once, and nobody else's changes are told", async () => {
  const parent = "projects/thousand";
  const names: string[] = [];
  for (let round = 0; round < 2; round++) {
    const requests = Array.from({ length: 500 }, () => ({ type: "test.parked", parent }));
    const { results } = await stage.must("grpc", "batchStartOperations", { requests });
    names.push(...(results as { operation: { name: string } }[]).map(({ operation }) => operation.name));
  }
  const open = await watch("grpc", { names }).begun();
  const foreign = await stage.start("test.parked", { parent });
  await stage.ok(`${foreign}:cancel`, {});
  const bulk = await stage.must("grpc", "cancelOperations", { parent, filter: "done = false" });
  await stage.ended(String(bulk["name"]));
  await open.until("a thousand ends", () => open.events.length >= names.length);
  assert.deepEqual(new Set(open.told), new Set(names.map((name) => `${name} "2" CANCELLED`)));
  assert.equal(open.events.length, names.length);
  open.close();
});

test("what a watch shows of an operation is what a list shows", async () => {
  const parent = "projects/shown";
  const name = await stage.start("test.parked", { parent, labels: { a: "b" }, payload: { big: 1 } });
  for (const transport of transports) {
    const open = watch(transport, { parent, initial: true });
    await open.tells(name, "PENDING");
    const [listed] = listOf(await stage.must(transport, "listOperations", { parent }), "operations");
    assert.deepEqual(open.events[0]?.["operation"], listed);
    assert.equal(listed?.["payload"], undefined);
    open.close();
  }
});
