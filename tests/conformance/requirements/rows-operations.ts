// R1-R14: google.longrunning.Operations, its operations.proto and AIP-151.
import assert from "node:assert/strict";
import { Operations as NativeOperations } from "../../../src/protocol/gen/belay/v1/operations_pb.ts";
import { AutoMl } from "../../../src/protocol/gen/google/cloud/automl/v1beta1/service_pb.ts";
import { Operations } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { all, type Case, google, googleWait, grpc, plain, type Row, rest, rows } from "./row.ts";
import { createOrder, startTraining } from "./started-apis.ts";
import { freshName } from "./suite-services.ts";
import { must, pathOf, refusal, type Surface } from "./surface.ts";

const methods: Case[] = [
  {
    method: "Get",
    input: "a running operation",
    expected: "served",
    async check(at) {
      const { name, open } = await at.startRunning();
      assert.equal(at.shown(await at.get(name)).name, name);
      await open();
    },
  },
  {
    method: "List",
    input: "its collection",
    expected: "served",
    async check(at) {
      const name = await at.startDone();
      assert.ok((await at.page({ pageSize: 1000 })).names.includes(name));
    },
  },
  {
    method: "Cancel",
    input: "a running operation",
    expected: "served",
    async check(at) {
      must(await at.cancel((await at.startRunning()).name));
    },
  },
  {
    method: "Delete",
    input: "a done operation",
    expected: "served",
    async check(at) {
      must(await at.delete(await at.startDone()));
    },
  },
];

const waitServed: Case = {
  method: "Wait",
  input: "a done operation",
  expected: "served",
  async check(at) {
    assert.equal(at.shown(await at.wait(await at.startDone())).done, true);
  },
};

const notCancellable: Case = {
  method: "Cancel",
  input: "a service that cancels nothing",
  expected: "UNIMPLEMENTED, and Get is served",
  async check(at) {
    const { name, open } = await at.startRunning();
    assert.equal(refusal(await at.cancel(name)), "12 CANCEL_NOT_SUPPORTED");
    assert.equal(at.shown(await at.get(name)).done, false);
    await open();
  },
};

/** The rows of R2: what the paths of operations.proto answer on REST. */
function pathCase(method: string, path: string, call: (at: Surface, name: string) => Promise<unknown>): Case {
  return {
    method,
    input: path,
    expected: "200",
    async check(at) {
      await call(at, await at.startDone());
    },
  };
}

const paths: Case[] = [
  pathCase("List", "GET /v1/{name=operations}", async (at) =>
    must(await at.client.rest("GET", "/v1/operations")),
  ),
  pathCase("Get", "GET /v1/{name=operations/**}", async (at, name) =>
    must(await at.client.rest("GET", `/v1/${name}`)),
  ),
  pathCase("Cancel", "POST /v1/{name=operations/**}:cancel, body *", async (at, name) => {
    const reply = await at.client.rest("POST", `/v1/${name}:cancel`, { body: { name } });
    assert.equal(reply.text, "{}");
  }),
  pathCase("Delete", "DELETE /v1/{name=operations/**}", async (at, name) => {
    assert.equal((await at.client.rest("DELETE", `/v1/${name}`)).text, "{}");
  }),
];

const waitPath = pathCase("Wait", "POST .../{name}:wait, body *", async (at, name) => {
  must(await at.client.rest("POST", `${pathOf(at.service, name)}:wait`, { body: { timeout: "1s" } }));
});

const parents: Case[] = ["projects/p", "projects/p/locations/l", "a/b/c/d/e/f"].map((parent) => ({
  method: "Get, List, Cancel, Delete",
  input: `below ${parent}`,
  expected: "served as without a parent",
  async check(at) {
    const name = await at.startDone("suite.echo", { parent });
    assert.ok(name.startsWith(`${parent}/operations/`));
    must(await at.get(name));
    assert.ok((await at.page({ name: `${parent}/operations`, pageSize: 1000 })).names.includes(name));
    must(await at.cancel(name));
    must(await at.delete(name));
    assert.equal(refusal(await at.get(name)), "5 OPERATION_NOT_FOUND");
  },
}));

const otherPrefix: Case = {
  method: "Get",
  input: "/v1beta1/projects/*/locations/*/operations/*",
  expected: "served there, and not below /v1",
  async check(at) {
    const name = await at.startDone();
    must(await at.client.rest("GET", `/v1beta1/${name}`));
    assert.equal(refusal(await at.client.rest("GET", `/v1/${name}`)), "5 ROUTE_NOT_FOUND");
  },
};

const naming: Case[] = [
  {
    method: "Start",
    input: "the same request twice",
    expected: "two names of the server's, each ending with operations/{id}",
    async check(at) {
      const names = [await at.start("suite.echo"), await at.start("suite.echo")];
      for (const name of names) assert.match(name, /(^|\/)operations\/[a-z0-9]{20}$/);
      assert.notEqual(names[0], names[1]);
    },
  },
  {
    method: "Start",
    input: "a name of the caller's",
    expected: "INVALID_ARGUMENT: there is no such field",
    async check(at) {
      const body = { type: "suite.echo", name: "operations/mine" };
      const reply = await at.client.rest("POST", "/belay/v1/operations", { body });
      assert.equal(refusal(reply), "3 INVALID_JSON");
    },
  },
];

const oneof: Case[] = [
  {
    method: "Get",
    input: "a running operation",
    expected: "done=false, neither error nor response",
    async check(at) {
      const { name, open } = await at.startRunning();
      const { done, error, response } = at.shown(await at.get(name));
      assert.deepEqual([done, error, response], [false, null, null]);
      await open();
    },
  },
  {
    method: "Get",
    input: "one that succeeded",
    expected: "done=true, response alone",
    async check(at) {
      const { done, error, response } = at.shown(await at.get(await at.startDone()));
      assert.deepEqual([done, error, response !== null], [true, null, true]);
    },
  },
  {
    method: "Get",
    input: "one that failed",
    expected: "done=true, error alone",
    async check(at) {
      const name = await at.startDone("suite.fail", { payload: { code: 9 } });
      const { done, error, response } = at.shown(await at.get(name));
      assert.deepEqual([done, error?.code, response], [true, 9, null]);
    },
  },
];

const cancelStarts: Case = {
  method: "Cancel",
  input: "work that does not stop",
  expected: "answered at once with Empty, the operation is not done",
  async check(at) {
    const { name, open } = await at.startRunning("suite.stubborn");
    const reply = await at.cancel(name);
    assert.deepEqual(must(reply), {});
    if (at.transport === "rest") assert.equal(reply.text, "{}");
    else assert.equal(reply.bytes.length, 0);
    assert.equal(at.shown(await at.get(name)).done, false);
    await open();
  },
};

const cancelEnds: Case = {
  method: "Cancel",
  input: "running work that stops",
  expected: "the operation is not deleted: done=true and error.code == 1",
  async check(at) {
    const { name } = await at.startRunning();
    must(await at.cancel(name));
    const { done, error, response } = await at.ended(name);
    assert.deepEqual([done, error?.code, response], [true, 1, null]);
  },
};

const bestEffort: Case[] = [
  {
    method: "Cancel",
    input: "work that completes all the same",
    expected: "Get shows its response",
    async check(at) {
      const { name, open } = await at.startRunning("suite.stubborn");
      must(await at.cancel(name));
      await open();
      const { error, response } = await at.ended(name);
      assert.equal(error, null);
      assert.deepEqual(response?.["value"], { ended: true });
    },
  },
];

const deletion: Case[] = [
  {
    method: "Delete",
    input: "running work",
    expected: "it is not cancelled, Get and List do not show it any more",
    async check(at) {
      const { name, open } = await at.startRunning();
      must(await at.delete(name));
      assert.equal(refusal(await at.get(name)), "5 OPERATION_NOT_FOUND");
      assert.ok(!(await at.page({ pageSize: 1000 })).names.includes(name));
      assert.equal((await at.native(name))["state"], "RUNNING");
      await open();
    },
  },
  {
    method: "Delete",
    input: "running work of a type that refuses it",
    expected: "FAILED_PRECONDITION, and it stays",
    async check(at) {
      const { name, open } = await at.startRunning("suite.keep");
      assert.equal(refusal(await at.delete(name)), "9 DELETE_REFUSED");
      must(await at.get(name));
      await open();
    },
  },
];

const waiting: Case[] = [
  {
    method: "Wait",
    input: "a done operation, timeout 10000 s",
    expected: "the operation at once",
    async check(at) {
      assert.equal(at.shown(await at.wait(await at.startDone(), "10000s")).done, true);
    },
  },
  {
    method: "Wait",
    input: "a running operation, timeout 0.05 s",
    expected: "the latest state, and no error",
    async check(at) {
      const { name, open } = await at.startRunning();
      assert.equal(at.shown(await at.wait(name, "0.050s")).done, false);
      await open();
    },
  },
  {
    method: "Wait",
    input: "a running operation that ends, timeout 315576000000 s",
    expected: "the over-long timeout is taken, and the end is answered when it comes",
    async check(at) {
      const { name, open } = await at.startRunning();
      const waited = at.wait(name, "315576000000s");
      await open();
      assert.equal(at.shown(await waited).done, true);
    },
  },
  {
    method: "Wait",
    input: "timeout -1 s",
    expected: "INVALID_ARGUMENT",
    async check(at) {
      assert.equal(refusal(await at.wait(await at.startDone(), "-1s")), "3 INVALID_FIELD");
    },
  },
];

const callerDeadline: Case = {
  method: "Wait",
  input: "timeout 3600 s, RPC deadline 3 s",
  expected: "the shorter one: the latest state before the deadline",
  async check(at) {
    const { name, open } = await at.startRunning();
    const request = { name, timeout: "3600s" };
    const reply = await at.client.grpc(Operations.method.waitOperation, request, { deadlineMs: 3000 });
    assert.equal(at.shown(reply).done, false);
    await open();
  },
};

const listFields: Case[] = [
  {
    method: "List",
    input: "return_partial_success=true",
    expected: "UNIMPLEMENTED",
    async check(at) {
      const reply = await at.list({ returnPartialSuccess: true });
      assert.equal(refusal(reply), "12 PARTIAL_SUCCESS_UNSUPPORTED");
    },
  },
];

const fieldNumbers: Case = {
  method: "List",
  input: "name=4, page_size=2 as bytes",
  expected: "operations=1 and next_page_token=2 in the answer's bytes",
  async check(at) {
    await at.startDone();
    await at.startDone();
    const name = Buffer.from("operations");
    const request = Buffer.concat([Buffer.from([0x22, name.length]), name, Buffer.from([0x10, 1])]);
    const { bytes, error } = await at.client.grpcBytes(
      "/google.longrunning.Operations/ListOperations",
      request,
    );
    assert.equal(error, null);
    assert.equal(bytes[0], 0x0a);
    // The first operation is shorter than 16 KiB: its length takes one or two bytes.
    const length = bytes[1]! < 0x80 ? bytes[1]! : (bytes[1]! & 0x7f) | (bytes[2]! << 7);
    assert.equal(bytes[(bytes[1]! < 0x80 ? 2 : 3) + length], 0x12);
  },
};

const metadata: Case[] = [
  {
    method: "CreateModel",
    input: "training at 40 percent",
    expected: "metadata with create time and progress",
    async check(at) {
      const { name, open } = await startTraining(at);
      const shown = await eventually("its progress is seen", async () => {
        const { metadata: seen } = at.shown(await at.get(name));
        return seen?.["progressPercent"] === 40 ? seen : null;
      });
      assert.equal(shown["@type"], "type.googleapis.com/google.cloud.automl.v1beta1.OperationMetadata");
      assert.match(String(shown["createTime"]), /Z$/);
      await open();
    },
  },
];

const requestedCancellation: Case = {
  method: "Get",
  input: "work that does not stop, before and after Cancel",
  expected: "metadata.requested_cancellation turns true",
  async check(at) {
    const gate = freshName("gate");
    const request = { parent: "shops/s", order: { title: `hold ${gate}` } };
    const name = String(must(await createOrder(at, request))["name"]);
    assert.equal(at.shown(await at.get(name)).metadata?.["requestedCancellation"], undefined);
    must(await at.cancel(name));
    const { metadata: seen } = await at.ended(name);
    assert.equal(seen?.["requestedCancellation"], true);
    assert.match(String(seen?.["endTime"]), /Z$/);
  },
};

const responseTypes: Row[] = [
  ...rows(13, google, [
    {
      method: "Start",
      input: "work that answers nothing",
      expected: "response of type google.protobuf.Empty",
      async check(at) {
        const { response } = await at.ended(await at.start("suite.empty"));
        assert.deepEqual(response, { "@type": "type.googleapis.com/google.protobuf.Empty" });
      },
    },
  ]),
  ...rows(
    13,
    [...grpc("automl"), ...rest("automl")],
    [
      {
        method: "CreateModel",
        input: "a model",
        expected: "response of type google.cloud.automl.v1beta1.Model",
        async check(at) {
          const { name, open } = await startTraining(at);
          await open();
          const { response } = await at.ended(name);
          assert.equal(response?.["@type"], "type.googleapis.com/google.cloud.automl.v1beta1.Model");
        },
      },
      {
        method: "DeleteModel",
        input: "a model",
        expected: "response of type google.protobuf.Empty",
        async check(at) {
          const name = `${at.parent}/models/m1`;
          const json = must(
            at.transport === "grpc"
              ? await at.client.grpc(AutoMl.method.deleteModel, { name })
              : await at.client.rest("DELETE", `/v1beta1/${name}`),
          );
          const { response } = await at.ended(String(json["name"]));
          assert.deepEqual(response, { "@type": "type.googleapis.com/google.protobuf.Empty" });
        },
      },
    ],
  ),
];

const steadyBytes: Case = {
  method: "Get",
  input: "unfinished work with progress, three times",
  expected: "the same bytes, metadata too",
  async check(at) {
    const { name, open } = await startTraining(at);
    await at.running(name);
    // The progress report comes on its own: until then the bytes may change.
    await eventually("its progress is seen", async () => {
      return at.shown(await at.get(name)).metadata?.["progressPercent"] === 40;
    });
    const answers = [await at.get(name), await at.get(name), await at.get(name)];
    const [first, ...others] = answers.map(({ bytes }) => bytes.toString("hex"));
    assert.deepEqual(others, [first, first]);
    await open();
  },
};

const nativeState: Case = {
  method: "Get of belay.v1",
  input: "work with progress",
  expected: "state, create time, progress and checkpoint",
  async check(at) {
    const { name, open } = await at.startRunning("suite.progress");
    const json = await eventually("its checkpoint is seen", async () => {
      const reply =
        at.transport === "grpc"
          ? await at.client.grpc(NativeOperations.method.getOperation, { name })
          : await at.client.rest("GET", `/belay/v1/${name}`);
      const seen = must(reply);
      return seen["checkpoint"] === undefined ? null : seen;
    });
    assert.deepEqual(
      [json["state"], json["progress"], json["checkpoint"]],
      ["RUNNING", { percent: 25, message: "a quarter" }, { pages: 1 }],
    );
    assert.match(String(json["createTime"]), /Z$/);
    await open();
  },
};

export const operationRows: readonly Row[] = [
  ...rows(1, google, methods),
  ...rows(1, googleWait, [waitServed]),
  ...rows(1, [...grpc("sealed", "storage"), ...rest("sealed", "storage")], [notCancellable]),
  ...rows(2, rest("default", "vault", "dai"), paths),
  ...rows(2, rest("default", "automl"), [waitPath]),
  ...rows(3, plain, parents),
  ...rows(3, rest("automl"), [otherPrefix]),
  ...rows(4, all, naming.slice(0, 1)),
  ...rows(4, rest("default", "vault", "automl"), naming.slice(1)),
  ...rows(5, all, oneof),
  ...rows(6, google, [cancelStarts]),
  ...rows(7, all, [cancelEnds]),
  ...rows(8, all, bestEffort),
  ...rows(9, google, deletion),
  ...rows(10, googleWait, waiting),
  ...rows(10, grpc("default", "vault", "dai", "automl"), [callerDeadline]),
  ...rows(11, google, listFields),
  ...rows(11, grpc("default"), [fieldNumbers]),
  ...rows(12, [...grpc("automl"), ...rest("automl")], metadata),
  ...rows(12, [...grpc("shop"), ...rest("shop")], [requestedCancellation]),
  ...rows(12, plain, [nativeState]),
  ...responseTypes,
  ...rows(14, grpc("automl"), [steadyBytes]),
];
