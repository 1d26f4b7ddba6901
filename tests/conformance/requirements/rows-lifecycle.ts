// R45-R51, R57 and R58: deletion, etags, names of times and states, races and retries, and what holds around all that.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import type { JsonObject } from "@bufbuild/protobuf";
import { Operations as NativeOperations } from "../../../src/protocol/gen/belay/v1/operations_pb.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { startTestServer } from "../../../src/testing/test-server.ts";
import type { WireReply } from "../wire/wire-client.ts";
import { all, both, type Case, google, plain, type Row, rest, rows, yandex } from "./row.ts";
import { recognize } from "./started-apis.ts";
import { freshName } from "./suite-services.ts";
import { idOf, must, refusal, type Shown, type Surface } from "./surface.ts";

const deleteAbsent: Case[] = [
  {
    method: "Delete",
    input: "an absent name, and one that was deleted",
    expected: "NOT_FOUND",
    async check(at) {
      assert.equal(refusal(await at.delete(at.absentName)), "5 OPERATION_NOT_FOUND");
      const name = await at.startDone();
      must(await at.delete(name));
      assert.equal(refusal(await at.delete(name)), "5 OPERATION_NOT_FOUND");
    },
  },
];

const allowMissing: Case = {
  method: "Delete",
  input: "allow_missing=true",
  expected: "INVALID_ARGUMENT: operations.proto has no such field, so it is not passed over",
  async check(at) {
    const reply = await at.client.rest("DELETE", "/v1/operations/opr1?allowMissing=true");
    assert.equal(refusal(reply), "3 INVALID_QUERY_PARAMETER");
  },
};

const etags: Case[] = [
  {
    method: "Get of belay.v1",
    input: "an operation, twice, and after a change",
    expected: "a quoted etag, the same for the same state, another after a visible change",
    async check(at) {
      const { name, open } = await at.startRunning("suite.stubborn");
      const etag = String((await at.native(name))["etag"]);
      assert.match(etag, /^"[\x21\x23-\x7e]+"$/);
      must(await at.cancel(name));
      assert.notEqual((await at.native(name))["etag"], etag);
      await open();
      await at.ended(name);
      const ended = (await at.native(name))["etag"];
      assert.equal((await at.native(name))["etag"], ended);
    },
  },
  {
    method: "Cancel of belay.v1",
    input: "a stale etag, one that is none, and the present one",
    expected: "ABORTED, INVALID_ARGUMENT, both without a change; then OK",
    async check(at) {
      const { name } = await at.startRunning();
      const etag = String((await at.native(name))["etag"]);
      const cancel = (given: string): Promise<WireReply> =>
        at.transport === "rest"
          ? at.client.rest("POST", `/belay/v1/${name}:cancel`, { body: { etag: given } })
          : at.client.grpc(NativeOperations.method.cancelOperation, { name, etag: given });
      assert.equal(refusal(await cancel('"1"')), "10 ETAG_MISMATCH");
      assert.equal(refusal(await cancel("1")), "3 INVALID_FIELD");
      assert.equal((await at.native(name))["etag"], etag);
      assert.equal(must(await cancel(etag))["verdict"], "STOPPING");
      await at.ended(name);
    },
  },
];

/** Nouns that say a time by themselves. */
const timeNouns = ["deadline", "cancelDeadline"];

const timeNames: Case = {
  method: "Get of belay.v1",
  input: "a cancelled operation and its receipt",
  expected:
    "times are named in the imperative and end with Time (deadline says it by itself), durations are 1.5s",
  async check(at) {
    const { name } = await at.startRunning();
    must(await at.cancel(name));
    await at.ended(name);
    const receipt = must(await at.client.rest("GET", `/belay/v1/${name}/receipt`));
    const operation = await at.native(name);
    const times: string[] = [];
    const walk = (value: unknown): void => {
      if (typeof value !== "object" || value === null) return;
      for (const [key, inner] of Object.entries(value)) {
        if (typeof inner === "string" && /^\d{4}-\d\d-\d\dT/.test(inner)) times.push(key);
        walk(inner);
      }
    };
    walk([operation, receipt]);
    assert.ok(times.includes("createTime") && times.includes("requestTime"));
    for (const time of times) {
      assert.ok(time === "time" || time.endsWith("Time") || timeNouns.includes(time), time);
      assert.ok(!/(ed|ing)Time$/.test(time) || time === "stopConfirmedTime", time);
    }
    assert.match(String(receipt["latency"]), /^\d+(\.\d{1,9})?s$/);
  },
};

const states: Case[] = [
  {
    method: "Get of belay.v1",
    input: "an operation from its start to its end",
    expected: "PENDING or RUNNING, CANCELLING, then CANCELLED or SUCCEEDED; never STATE_UNSPECIFIED",
    async check(at) {
      const seen: unknown[] = [];
      const { name, open } = await at.startRunning("suite.stubborn");
      seen.push((await at.native(name))["state"]);
      must(await at.cancel(name));
      seen.push((await at.native(name))["state"]);
      await open();
      await at.ended(name);
      seen.push((await at.native(name))["state"]);
      assert.deepEqual(seen, ["RUNNING", "CANCELLING", "SUCCEEDED"]);
    },
  },
];

const stateOutputOnly: Case = {
  method: "StartOperation",
  input: "a state",
  expected: "INVALID_ARGUMENT: it is the server's",
  async check(at) {
    const reply = await at.client.rest("POST", "/belay/v1/operations", {
      body: { type: "suite.echo", state: "RUNNING" },
    });
    assert.equal(refusal(reply), "3 INVALID_JSON");
  },
};

const disallowed: Case = {
  method: "Delete",
  input: "a state that does not allow it",
  expected: "FAILED_PRECONDITION, then OK when the work is done",
  async check(at) {
    const { name, open } = await at.startRunning("suite.keep");
    assert.equal(refusal(await at.delete(name)), "9 DELETE_REFUSED");
    await open();
    await at.ended(name);
    must(await at.delete(name));
  },
};

const tooLate: Case = {
  method: "Cancel",
  input: "operations that succeeded, failed, and were cancelled",
  expected: "OK, unchanged, with the verdict of each",
  async check(at) {
    const { name: cancelled } = await at.startRunning();
    must(await at.cancel(cancelled));
    await at.ended(cancelled);
    const done: readonly [string, string][] = [
      [await at.startDone(), "TOO_LATE_SUCCEEDED"],
      [await at.startDone("suite.fail", { payload: { code: 9 } }), "TOO_LATE_FAILED"],
      [cancelled, "ALREADY_CANCELLED"],
    ];
    for (const [name, verdict] of done) {
      const before = at.shown(await at.get(name));
      const reply = await at.cancel(name);
      if (at.isYandex) assert.deepEqual(at.shown(reply), before);
      else assert.deepEqual(must(reply), {});
      assert.equal(reply.trailers["belay-cancel-verdict"], verdict);
      assert.deepEqual(at.shown(await at.get(name)), before);
    }
  },
};

const nativeVerdict: Case = {
  method: "Cancel of belay.v1",
  input: "an operation that succeeded",
  expected: "the verdict in the answer",
  async check(at) {
    const name = await at.startDone();
    const json = must(await at.client.rest("POST", `/belay/v1/${name}:cancel`, { body: { reason: "late" } }));
    assert.equal(json["verdict"], "TOO_LATE_SUCCEEDED");
  },
};

const transient: Case = {
  method: "Wait",
  input: "a server that stops",
  expected: "UNAVAILABLE with RetryInfo and Retry-After",
  ownServer: "the server must be stopped",
  async check() {
    await using server = await startTestServer();
    const body = `{"timeout":"30s"}`;
    // A request whose body is not whole yet holds its connection open while the server stops.
    const socket = connect({ port: server.port, host: "127.0.0.1" });
    await once(socket, "connect");
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
    });
    const closed = once(socket, "close");
    const head = [
      "POST /v1/operations/opr1:wait HTTP/1.1",
      "Host: localhost",
      "Content-Type: application/json",
    ];
    socket.write(`${[...head, `Content-Length: ${body.length}`, "", "{"].join("\r\n")}`);
    await eventually("the server has seen it", async () => {
      const { promise, resolve } = Promise.withResolvers<number>();
      server.server.methods.length > 0 && resolve(1);
      await fetch(`${server.url}/healthz`);
      return promise;
    });
    const closing = server.server.close({ graceMs: 10_000 });
    socket.write(body.slice(1));
    await closed;
    await closing;
    assert.match(text, /^HTTP\/1\.1 503 /);
    assert.match(text, /\r\nretry-after: 1\r\n/i);
    assert.match(text, /"reason":"SHUTTING_DOWN"/);
    assert.match(text, /google\.rpc\.RetryInfo/);
  },
};

const consistent: Case = {
  method: "Get, List",
  input: "a cancelled operation, on every surface",
  expected: "one and the same state, again and again",
  async check(at) {
    const { name } = await at.startRunning("suite.progress");
    must(await at.cancel(name));
    const first = await at.ended(name);
    const other = at.target.surface(at.service, at.transport === "grpc" ? "rest" : "grpc");
    const seen: Shown[] = [at.shown(await at.get(name)), other.shown(await other.get(name))];
    for (const { done, error, response } of seen) {
      assert.deepEqual([done, error, response], [first.done, first.error, first.response]);
    }
    assert.equal((await at.native(name))["state"], "CANCELLED");
  },
};

const tombstone: Case = {
  method: "Delete",
  input: "a done operation",
  expected: "a tombstone first: gone for clients, shown with deleteTime by Belay's own API",
  async check(at) {
    const name = await at.startDone();
    must(await at.delete(name));
    assert.equal(refusal(await at.get(name)), "5 OPERATION_NOT_FOUND");
    assert.match(String((await at.native(name))["deleteTime"]), /Z$/);
  },
};

const partial: Case = {
  method: "Cancel",
  input: "work with a checkpoint",
  expected: "what was kept is on the receipt",
  async check(at) {
    const { name } = await at.startRunning("suite.progress");
    await eventually(
      "its checkpoint is durable",
      async () => (await at.native(name))["checkpoint"] !== undefined,
    );
    must(await at.cancel(name));
    await at.ended(name);
    const receipt = must(await at.client.rest("GET", `/belay/v1/${name}/receipt`));
    assert.deepEqual(
      [receipt["checkpoint"], receipt["outcome"], receipt["evidence"]],
      [{ pages: 1 }, "CANCELLED", "HANDLER_STOPPED"],
    );
  },
};

const durable: Case = {
  method: "Start, Get",
  input: "Get on another transport and connection as soon as Start has answered",
  expected: "it is there",
  async check(at) {
    const other = at.target.surface(at.service, at.transport === "grpc" ? "rest" : "grpc");
    for (let round = 0; round < 5; round++) {
      const name = await at.start("suite.echo");
      assert.equal(other.shown(await other.get(name)).name, name);
    }
  },
};

const unguessable: Case = {
  method: "Start",
  input: "32 operations",
  expected: "ids of 20 letters and digits, whose last eight (40 bits) never repeat",
  async check(at) {
    const names = await Promise.all(Array.from({ length: 32 }, () => at.start("suite.empty")));
    const ids = names.map(idOf);
    for (const id of ids) assert.match(id, /^[a-z]{3}[a-z0-9]{17}$/);
    assert.equal(new Set(ids.map((id) => id.slice(-8))).size, ids.length);
  },
};

const pollInterval: Case = {
  method: "Get",
  input: "a running operation",
  expected: "x-operation-poll-interval says when to ask again",
  async check(at: Surface) {
    const { headers } = await at.get(at.shown(await recognize(at, { content: "aGk=" } as JsonObject)).name);
    assert.match(headers["x-operation-poll-interval"] ?? "", /^[1-9]\d*$/);
  },
};

const neverTwice: Case = {
  method: "Start",
  input: "after a Delete",
  expected: "the name is never used again",
  async check(at) {
    const requestId = freshName("r");
    const name = await at.startDone("suite.echo", { requestId, parent: at.parent });
    must(await at.delete(name));
    assert.notEqual(await at.start("suite.echo"), name);
  },
};

export const lifecycleRows: readonly Row[] = [
  ...rows(45, google, deleteAbsent),
  ...rows(45, rest("default", "vault", "dai"), [allowMissing]),
  ...rows(46, both, etags),
  ...rows(48, plain, [timeNames]),
  ...rows(49, all, states),
  ...rows(49, rest("default"), [stateOutputOnly]),
  ...rows(49, google, [disallowed]),
  ...rows(50, all, [tooLate]),
  ...rows(50, rest("default", "vault", "dai", "automl", "yandex"), [nativeVerdict]),
  ...rows(51, rest("default"), [transient]),
  ...rows(57, all, [consistent, partial]),
  ...rows(57, google, [tombstone, neverTwice]),
  ...rows(58, all, [durable, unguessable]),
  ...rows(58, yandex, [pollInterval]),
];
