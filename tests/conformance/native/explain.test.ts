// ExplainOperation for each state that an operation can be in, on both transports: one code for what holds it, whom it is about,
// what comes next, and the same words on gRPC and REST.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { eventually } from "../../../src/testing/eventually.ts";
import { callNative, listOf, refusal, transports } from "./native-calls.ts";
import { type NativeStage, startNativeStage } from "./native-stage.ts";

let stage: NativeStage;
before(async () => {
  stage = await startNativeStage();
});
after(() => stage.close());

const codesOf = (explanation: JsonObject): unknown[] =>
  listOf(explanation, "reasons").map(({ code }) => code);

/** What both transports say, once they say these codes. */
async function explained(name: string, codes: readonly string[]): Promise<JsonObject> {
  const answers = await Promise.all(
    transports.map((each) =>
      eventually(`${each} explains ${name} by ${codes}`, async () => {
        const explanation = await stage.must(each, "explainOperation", { name });
        return codesOf(explanation).join() === codes.join() && explanation;
      }),
    ),
  );
  const [grpc = {}, rest = {}] = answers;
  // Spans count on between the two.
  for (const field of ["name", "state", "operation", "nextTime"])
    assert.deepEqual(grpc[field], rest[field], field);
  assert.deepEqual(
    listOf(grpc, "reasons").map(({ about }) => about),
    listOf(rest, "reasons").map(({ about }) => about),
  );
  for (const { summary, nextStep } of answers) {
    assert.match(String(summary), /^[A-Z].*\.$/);
    assert.notEqual(nextStep ?? "", "");
  }
  return grpc;
}

interface Row {
  codes: readonly string[];
  state: string;
  /** Answers the name of an operation that is so. */
  bring(): Promise<string>;
  /** What the first reason is about. */
  about?(name: string): Promise<unknown[]> | unknown[];
}

let holder = "";
const rows: Readonly<Record<string, Row>> = {
  "nobody serves its type": {
    codes: ["NO_WORKER"],
    state: "PENDING",
    bring: () => stage.start("test.parked"),
  },
  "it is not due": {
    codes: ["NOT_DUE"],
    state: "PENDING",
    bring: () => stage.start("test.hold", { startDelay: "3600s" }),
  },
  "its key is taken": {
    codes: ["KEY_BUSY"],
    state: "PENDING",
    async bring() {
      const keyed = { concurrencyKey: "explain", keyLimit: 1 };
      holder = await stage.startRunning("test.hold", keyed);
      return stage.start("test.hold", keyed);
    },
    about: () => [holder],
  },
  "its handler runs": {
    codes: ["HANDLER_RUNNING"],
    state: "RUNNING",
    bring: () => stage.startRunning(),
    about: async (name) => [(await stage.ok(name))["worker"]],
  },
  "a critical section holds the abort back": {
    codes: ["CRITICAL_SECTION"],
    state: "CANCELLING",
    async bring() {
      const name = await stage.startRunning("test.critical");
      await stage.ok(`${name}:cancel`, {});
      return name;
    },
  },
  "its handler was told to stop": {
    codes: ["HANDLER_STOPPING"],
    state: "CANCELLING",
    async bring() {
      const name = await stage.startRunning("test.stubborn", { cancelPolicy: { grace: "600s" } });
      await stage.ok(`${name}:cancel`, {});
      return name;
    },
  },
  "its children are waited for": {
    codes: ["CHILDREN"],
    state: "CANCELLING",
    async bring() {
      const children = [{ type: "test.hold", policy: "wait", deadlineMs: 600_000 }];
      const name = await stage.startRunning("test.parent", { payload: { children } });
      await stage.ok(`${name}:cancel`, {});
      return name;
    },
    about: async (name) => listOf(await stage.ok(name), "children").map((child) => child["name"]),
  },
  "it succeeded": {
    codes: ["SUCCEEDED"],
    state: "SUCCEEDED",
    bring: () => ended("test.echo"),
  },
  "it failed": {
    codes: ["FAILED"],
    state: "FAILED",
    bring: () => ended("test.fail"),
  },
  "it was cancelled": {
    codes: ["CANCELLED"],
    state: "CANCELLED",
    async bring() {
      const name = await stage.start("test.parked");
      await stage.ok(`${name}:cancel`, { reason: "no more" });
      return name;
    },
  },
};

async function ended(type: string): Promise<string> {
  const name = await stage.start(type);
  await stage.ended(name);
  return name;
}

const seen: string[] = [];
for (const [what, { codes, state, bring, about }] of Object.entries(rows)) {
  test(`${what}: ${state}, ${codes}`, async () => {
    const name = await bring();
    const explanation = await explained(name, codes);
    assert.deepEqual([explanation["name"], explanation["state"]], [name, state]);
    assert.equal((explanation["operation"] as JsonObject)["name"], name);
    if (about) assert.deepEqual(listOf(explanation, "reasons")[0]?.["about"], await about(name));
    seen.push(state);
    stage.finish(name);
  });
}

test("every state was explained", () => {
  const states = ["PENDING", "RUNNING", "CANCELLING", "SUCCEEDED", "FAILED", "CANCELLED"];
  assert.deepEqual(new Set(seen), new Set(states));
});

// The last one but one: until its handler has stopped, this worker gets nothing new.
test("nobody knows whether it stopped: FAILED and UNCONFIRMED, until an operator says so", async () => {
  const name = await stage.startRunning("test.stubborn");
  await stage.ok(`${name}:cancel`, { wait: "20s" });
  const explanation = await explained(name, ["FAILED", "UNCONFIRMED"]);
  assert.deepEqual(listOf(explanation, "reasons")[1]?.["about"], [(await stage.ok(name))["worker"]]);
  await stage.ok(`${name}:releaseHold`, { reason: "its machine is gone" });
  const released = listOf(await explained(name, ["FAILED", "UNCONFIRMED"]), "reasons")[1];
  assert.match(String(released?.["text"]), /confirmed only after its end; the evidence is OPERATOR/);
  assert.deepEqual(released?.["about"] ?? [], []);
  stage.finish(name);
});

test("what is not there is not explained", async () => {
  for (const each of transports) {
    const absent = await callNative(stage.client(), each, "explainOperation", { name: "operations/none" });
    assert.equal(refusal(absent), "5 OPERATION_NOT_FOUND");
  }
});
