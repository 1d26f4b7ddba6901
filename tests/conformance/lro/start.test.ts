// Starting operations on the native surface and by the short way, and what the native surface shows of them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  CancelOperationRequestSchema,
  CancelOperationResponseSchema,
  GetReceiptRequestSchema,
  OperationSchema,
  ReceiptSchema,
  StartOperationRequestSchema,
  State,
  Verdict,
} from "../../../src/protocol/gen/belay/v1/operations_pb.ts";
import { OperationSchema as GoogleOperationSchema } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { type CallFailure, callGrpc, failureOfRest } from "./lro-client.ts";
import { type LroWorld, startWorld } from "./lro-world.ts";

let world: LroWorld;
before(async () => {
  world = await startWorld();
});
after(() => world[Symbol.asyncDispose]());

/** What the tests look at of an operation, or of the answer to a cancel. */
interface Shown {
  name: string;
  state: string;
  done?: boolean;
  deleteTime?: string;
  payload?: unknown;
  labels?: unknown;
  description?: string;
  createdBy?: string;
  outcome?: string;
  error?: { code: number };
  verdict: string;
  operation: Shown;
}

async function post(path: string, body: unknown): Promise<Shown> {
  const response = await fetch(`${world.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw failureOfRest(response.status, text, Object.fromEntries(response.headers));
  return JSON.parse(text) as Shown;
}

async function startGrpc(init: MessageInitShape<typeof StartOperationRequestSchema>): Promise<string> {
  const request = toBinary(StartOperationRequestSchema, create(StartOperationRequestSchema, init));
  const { bytes } = await callGrpc(world.grpc, "/belay.v1.Operations/StartOperation", request);
  return fromBinary(OperationSchema, bytes).name;
}

test("POST /v1/operations answers a plain google Operation", async () => {
  const operation = await post("/v1/operations", { type: "test.hold" });
  assert.deepEqual(Object.keys(operation), ["name"]);
  const request = toBinary(
    StartOperationRequestSchema,
    create(StartOperationRequestSchema, { type: "test.hold" }),
  );
  const { bytes } = await callGrpc(world.grpc, "/belay.v1.OperationStarter/StartOperation", request);
  assert.match(fromBinary(GoogleOperationSchema, bytes).name, /^operations\//);
});

test("POST /belay/v1/operations answers everything that is known", async () => {
  const operation = await post("/belay/v1/operations", {
    type: "test.hold",
    payload: { document: "a.pdf", pages: [1, 2] },
    labels: { team: "docs" },
    description: "reads a document",
    cancelPolicy: { grace: "1.5s" },
    parent: "projects/p",
    deadline: new Date(Date.now() + 60_000).toISOString(),
  });
  assert.match(operation.name, /^projects\/p\/operations\//);
  // An idle worker is given it in the commit that starts it.
  assert.ok(["PENDING", "RUNNING"].includes(operation.state), operation.state);
  assert.deepEqual(
    [operation.payload, operation.labels, operation.description, operation.createdBy],
    [{ document: "a.pdf", pages: [1, 2] }, { team: "docs" }, "reads a document", "anonymous"],
  );
  assert.equal((await world.engine.get(world.key(operation.name))).record.policy.cancel.graceMs, 1500);
});

test("an operation is durable before it is answered: it can be read at once, by everybody", async () => {
  const name = await startGrpc({ type: "test.echo", payload: { a: 1 } });
  assert.equal((await fetch(`${world.url}/v1/${name}`)).status, 200);
});

test("the same request_id with the same request is the same operation, over any transport and surface", async () => {
  const body = { type: "test.hold", requestId: "same-1", payload: { b: 1, a: [1, 2] } };
  const { name } = await post("/v1/operations", body);
  assert.equal((await post("/v1/operations", body)).name, name);
  assert.equal((await post("/belay/v1/operations", { ...body, payload: { a: [1, 2], b: 1 } })).name, name);
  assert.equal(await startGrpc(body), name);
});

test("the same request_id with another request is refused, and starts nothing", async () => {
  await post("/v1/operations", { type: "test.hold", requestId: "same-2" });
  const other = { type: "test.hold", requestId: "same-2", payload: { a: 1 } };
  await assert.rejects(
    post("/v1/operations", other),
    (error: CallFailure) => error.reason === "REQUEST_ID_REUSED",
  );
  await assert.rejects(startGrpc(other), (error: CallFailure) => error.reason === "REQUEST_ID_REUSED");
});

test("many starts with one request_id at the same time make one operation", async () => {
  const body = { type: "test.hold", requestId: "same-3" };
  const started = await Promise.all(Array.from({ length: 20 }, () => post("/v1/operations", body)));
  assert.equal(new Set(started.map(({ name }) => name)).size, 1);
});

test("a payload passes through unchanged, whatever its keys", async () => {
  const text = `{"type":"test.echo","payload":{"__proto__":{"x":1},"constructor":2,"":3,"a.b":"é\\u0000","n":-0.5,"t":null}}`;
  const response = await fetch(`${world.url}/v1/operations`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: text,
  });
  const { name } = (await response.json()) as { name: string };
  const done = await fetch(`${world.url}/v1/${name}:wait`, { method: "POST" });
  const json = await done.text();
  assert.ok(json.includes(`"__proto__":{"x":1}`), json);
  assert.equal(({} as Record<string, unknown>)["x"], undefined);
  const { response: any } = JSON.parse(json) as { response: { value: unknown } };
  assert.deepEqual(any.value, JSON.parse(text).payload);
});

for (const payload of ['{"a": 1e400}', '{"a": 9007199254740993}', '{"a": "\\ud800"}', '{"a": 1, "a": 2}']) {
  test(`what JSON would silently change is refused: ${payload}`, async () => {
    const response = await fetch(`${world.url}/v1/operations`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `{"type":"test.echo","payload":${payload}}`,
    });
    assert.equal(response.status, 400);
  });
}

test("what the server sets cannot be sent", async () => {
  for (const field of ["createdBy", "state", "name", "done", "leaseToken", "tenant"]) {
    await assert.rejects(
      post("/v1/operations", { type: "test.echo", [field]: "x" }),
      (error: CallFailure) => error.reason === "INVALID_JSON" && error.message.includes(`"${field}"`),
    );
  }
});

test("cancel tells the verdict, waits if asked, and leaves a receipt", async () => {
  const name = await world.startRunning();
  const request = create(CancelOperationRequestSchema, {
    name,
    reason: "wrong file",
    wait: { seconds: 10n },
  });
  const { bytes } = await callGrpc(
    world.grpc,
    "/belay.v1.Operations/CancelOperation",
    toBinary(CancelOperationRequestSchema, request),
  );
  const { verdict, operation } = fromBinary(CancelOperationResponseSchema, bytes);
  assert.deepEqual([verdict, operation?.state, operation?.done], [Verdict.STOPPING, State.CANCELLED, true]);
  assert.equal(operation?.cancellation?.evidence, "HANDLER_STOPPED");
  const receiptRequest = toBinary(GetReceiptRequestSchema, create(GetReceiptRequestSchema, { name }));
  const { bytes: receiptBytes } = await callGrpc(
    world.grpc,
    "/belay.v1.Operations/GetReceipt",
    receiptRequest,
  );
  const receipt = fromBinary(ReceiptSchema, receiptBytes);
  assert.deepEqual(
    [receipt.outcome, receipt.reason, receipt.requestedBy, receipt.origin, receipt.evidence],
    ["CANCELLED", "wrong file", "anonymous", "native/grpc", "HANDLER_STOPPED"],
  );
  assert.deepEqual(
    ((await (await fetch(`${world.url}/belay/v1/${name}/receipt`)).json()) as Shown).outcome,
    "CANCELLED",
  );
});

test("cancel with a wait that is too short answers what is known by then", async () => {
  const name = await world.startRunning("test.stubborn");
  const { verdict, operation } = await post(`/belay/v1/${name}:cancel`, { wait: "0.05s" });
  assert.deepEqual([verdict, operation.state], ["STOPPING", "CANCELLING"]);
  world.finish(name);
});

test("the native surface still reaches what a client deleted while it ran, and can cancel it", async () => {
  const name = await world.startRunning();
  await fetch(`${world.url}/v1/${name}`, { method: "DELETE" });
  const shown = (await (await fetch(`${world.url}/belay/v1/${name}`)).json()) as Shown;
  assert.deepEqual([shown.state, typeof shown.deleteTime], ["RUNNING", "string"]);
  const { verdict } = await post(`/belay/v1/${name}:cancel`, { reason: "nobody wants it" });
  assert.equal(verdict, "STOPPING");
});

test("a request may give up the right to cancel", async () => {
  const { name } = await post("/v1/operations", { type: "test.hold", cancelPolicy: { cancellable: false } });
  const response = await fetch(`${world.url}/v1/${name}:cancel`, { method: "POST" });
  assert.deepEqual(
    [response.status, response.headers.get("belay-cancel-verdict")],
    [501, "REFUSED_NOT_CANCELLABLE"],
  );
});

test("an operation that is not done by its deadline ends DEADLINE_EXCEEDED", async () => {
  const deadline = new Date(Date.now() + 300).toISOString();
  const { name } = await post("/v1/operations", { type: "test.hold", deadline });
  const ended = await post(`/v1/${name}:wait`, { timeout: "10s" });
  assert.deepEqual([ended.done, ended.error?.code], [true, 4]);
});
