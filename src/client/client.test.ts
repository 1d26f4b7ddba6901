// The client against a peer that is scripted call by call: what it sends, how it reads answers and errors, how it waits.
// Against the real server it is tested by the commands (src/cli/commands.test.ts).
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  create,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { anyPack, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type handleUnaryCall, Metadata, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { Operations as Belay, State, Verdict } from "../protocol/gen/belay/v1/operations_pb.ts";
import { Operations as Google } from "../protocol/gen/google/longrunning/operations_pb.ts";
import { ErrorInfoSchema } from "../protocol/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../protocol/gen/google/rpc/status_pb.ts";
import { BelayError, connect } from "./client.ts";

/** One scripted method: answers a message, or throws a Refusal, or waits on a promise of either. */
interface ScriptedCall {
  onCancelled(callback: () => void): void;
}
type Script = (request: never, call: ScriptedCall) => unknown;

class Peer {
  readonly #server = new Server();
  readonly #methods: { [path: string]: object } = {};
  readonly #handlers: { [name: string]: handleUnaryCall<unknown, unknown> } = {};
  port = 0;

  on<M extends DescMethodUnary>(
    method: M,
    script: (
      request: MessageShape<M["input"]>,
      call: ScriptedCall,
    ) => MessageInitShape<M["output"]> | Promise<MessageInitShape<M["output"]>>,
  ): this {
    const path = `/${method.parent.typeName}/${method.name}`;
    this.#methods[path] = {
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: (): Buffer => Buffer.alloc(0),
      responseDeserialize: (): unknown => undefined,
      requestDeserialize: (bytes: Buffer) => fromBinary(method.input, bytes),
      responseSerialize: (message: unknown) => Buffer.from(toBinary(method.output, message as never)),
    };
    this.#handlers[path] = (call, callback) => {
      const scripted = { onCancelled: (f: () => void) => call.on("cancelled", f) };
      Promise.resolve()
        .then(() => (script as Script)(call.request as never, scripted))
        .then(
          (reply) => callback(null, create(method.output, reply as never)),
          (error) => callback(error),
        );
    };
    return this;
  }

  async listen(t: TestContext, port = 0): Promise<this> {
    this.#server.addService(this.#methods as never, this.#handlers);
    this.port = await new Promise((resolve, reject) => {
      this.#server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    t.after(() => this.close());
    return this;
  }

  close(): void {
    this.#server.forceShutdown();
  }
}

function client(t: TestContext, peer: { port: number }): ReturnType<typeof connect> {
  const connected = connect(`127.0.0.1:${peer.port}`);
  t.after(() => connected.close());
  return connected;
}

function refusal(code: status, reason: string, metadata: Record<string, string>): object {
  const info = create(ErrorInfoSchema, { reason, domain: "belayd", metadata });
  const details = create(StatusSchema, {
    code,
    message: "refused",
    details: [anyPack(ErrorInfoSchema, info)],
  });
  const trailers = new Metadata();
  trailers.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, details)));
  return Object.assign(new Error("refused"), { code, details: "refused", metadata: trailers });
}

const NAME = "operations/opr1";
const running = { name: NAME, state: State.RUNNING };
const succeeded = { name: NAME, state: State.SUCCEEDED, done: true };

test("an error carries the code's name, and reason and metadata of its ErrorInfo", async (t) => {
  const peer = await new Peer()
    .on(Belay.method.getOperation, () => {
      throw refusal(status.NOT_FOUND, "OPERATION_NOT_FOUND", { name: NAME });
    })
    .listen(t);
  await assert.rejects(client(t, peer).get(NAME), (error) => {
    assert.ok(error instanceof BelayError);
    assert.equal(error.code, "NOT_FOUND");
    assert.equal(error.reason, "OPERATION_NOT_FOUND");
    assert.deepEqual({ ...error.metadata }, { name: NAME });
    assert.equal(error.message, "refused");
    return true;
  });
});

test("when nothing listens the error names the address and says so", async (t) => {
  const peer = await new Peer().on(Belay.method.getOperation, () => running).listen(t);
  peer.close();
  await assert.rejects(client(t, peer).get(NAME), (error) => {
    assert.ok(error instanceof BelayError && error.isUnreachable);
    assert.match(error.message, new RegExp(`^cannot reach 127.0.0.1:${peer.port}: connection refused`));
    return true;
  });
});

test("start sends what was given and answers a handle", async (t) => {
  const requests: MessageShape<typeof Belay.method.startOperation.input>[] = [];
  const peer = await new Peer()
    .on(Belay.method.startOperation, (request) => {
      requests.push(request);
      return running;
    })
    .on(Belay.method.getOperation, () => running)
    .listen(t);
  const handle = await client(t, peer).start("exec.nap", {
    payload: { pages: [1, null, { deep: true }] },
    labels: { team: "ops" },
    requestId: "r1",
    deadline: new Date("2030-01-02T03:04:05.678Z"),
    graceMs: 1500,
  });
  assert.equal(handle.name, NAME);
  assert.equal((await handle.get()).state, State.RUNNING);
  const [request] = requests;
  assert.deepEqual(request!.payload, { pages: [1, null, { deep: true }] });
  assert.equal(request!.requestId, "r1");
  assert.deepEqual({ ...request!.labels }, { team: "ops" });
  assert.equal(request!.cancelPolicy!.grace!.seconds, 1n);
  assert.equal(request!.cancelPolicy!.grace!.nanos, 500_000_000);
  assert.equal(request!.cancelPolicy!.cancellable, undefined);
  assert.equal(request!.deadline!.nanos, 678_000_000);
});

test("wait calls WaitOperation again until the operation is done", async (t) => {
  let waits = 0;
  const peer = await new Peer()
    .on(Belay.method.getOperation, () => (waits < 3 ? running : succeeded))
    .on(Google.method.waitOperation, (request) => {
      assert.ok(Number(request.timeout!.seconds) > 0);
      return { name: NAME, done: ++waits === 3 };
    })
    .listen(t);
  const operation = await client(t, peer).wait(NAME);
  assert.equal(operation.state, State.SUCCEEDED);
  assert.equal(waits, 3);
});

test("wait of a done operation asks once", async (t) => {
  const peer = await new Peer().on(Belay.method.getOperation, () => succeeded).listen(t);
  assert.equal((await client(t, peer).wait(NAME)).done, true);
});

test("wait answers the present state when its time is over", async (t) => {
  const timeouts: number[] = [];
  const peer = await new Peer()
    .on(Belay.method.getOperation, () => running)
    .on(Google.method.waitOperation, ({ timeout }) => {
      timeouts.push(Number(timeout!.seconds) * 1000 + timeout!.nanos / 1e6);
      return { name: NAME, done: false };
    })
    .listen(t);
  const operation = await client(t, peer).wait(NAME, { timeoutMs: 300 });
  assert.equal(operation.done, false);
  // The peer answers at once, as a server that stops does: the client paces itself.
  assert.ok(timeouts.length <= 3, `${timeouts.length} calls`);
  assert.ok(timeouts.every((timeoutMs) => timeoutMs <= 300));
});

test("wait outlives a restart of the server", async (t) => {
  const inWait = Promise.withResolvers<void>();
  const first = await new Peer()
    .on(Belay.method.getOperation, () => running)
    .on(Google.method.waitOperation, () => {
      inWait.resolve();
      return new Promise<never>(() => undefined);
    })
    .listen(t);
  const waiting = client(t, first).wait(NAME);
  await inWait.promise;
  first.close();
  await new Peer()
    .on(Belay.method.getOperation, () => succeeded)
    .on(Google.method.waitOperation, () => ({ name: NAME, done: true }))
    .listen(t, first.port);
  assert.equal((await waiting).state, State.SUCCEEDED);
});

test("wait of an operation that is gone rejects with NOT_FOUND, at once", async (t) => {
  const peer = await new Peer()
    .on(Belay.method.getOperation, () => running)
    .on(Google.method.waitOperation, () => {
      throw refusal(status.NOT_FOUND, "OPERATION_NOT_FOUND", {});
    })
    .listen(t);
  await assert.rejects(client(t, peer).wait(NAME), { code: "NOT_FOUND" });
});

test("wait of a deleted operation goes on until its work is done", async (t) => {
  const deleteTime = timestampFromMs(1);
  let reads = 0;
  const peer = await new Peer()
    .on(Belay.method.getOperation, () => ({ ...(++reads < 3 ? running : succeeded), deleteTime }))
    .on(Google.method.waitOperation, () => {
      throw refusal(status.NOT_FOUND, "OPERATION_NOT_FOUND", {});
    })
    .listen(t);
  assert.equal((await client(t, peer).wait(NAME)).state, State.SUCCEEDED);
});

test("wait asks again when the server holds as many waits as it takes", async (t) => {
  let waits = 0;
  const peer = await new Peer()
    .on(Belay.method.getOperation, () => (waits < 3 ? running : succeeded))
    .on(Google.method.waitOperation, () => {
      if (++waits < 3) throw refusal(status.RESOURCE_EXHAUSTED, "OVERLOADED", {});
      return { name: NAME, done: true };
    })
    .listen(t);
  assert.equal((await client(t, peer).wait(NAME)).state, State.SUCCEEDED);
  assert.equal(waits, 3);
});

test("an aborted call rejects with the signal's reason, and the server sees it end", async (t) => {
  const arrived = Promise.withResolvers<void>();
  const cancelled = Promise.withResolvers<void>();
  const peer = await new Peer()
    .on(Belay.method.getOperation, () => running)
    .on(Google.method.waitOperation, (_, call) => {
      call.onCancelled(cancelled.resolve);
      arrived.resolve();
      return new Promise<never>(() => undefined);
    })
    .listen(t);
  const controller = new AbortController();
  const waiting = client(t, peer).wait(NAME, { signal: controller.signal });
  await arrived.promise;
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(waiting, (error) => error === reason);
  await cancelled.promise;
});

test("a call whose signal has fired already is never sent", async (t) => {
  const peer = await new Peer().on(Belay.method.getOperation, () => assert.fail("it was sent")).listen(t);
  const signal = AbortSignal.abort(new Error("too late"));
  await assert.rejects(client(t, peer).get(NAME, { signal }), { message: "too late" });
});

test("cancel answers the verdict by name", async (t) => {
  const peer = await new Peer()
    .on(Belay.method.cancelOperation, (request) => {
      assert.equal(request.reason, "wrong file");
      assert.equal(request.grace, undefined);
      return { verdict: Verdict.STOPPING, operation: running };
    })
    .listen(t);
  const { verdict, operation } = await client(t, peer).operation(NAME).cancel({ reason: "wrong file" });
  assert.equal(verdict, "STOPPING");
  assert.equal(operation.name, NAME);
});

test("list reads each operation of the page in order, and leaves out one that is gone", async (t) => {
  const names = ["operations/a", "operations/b", "operations/c"];
  const peer = await new Peer()
    .on(Google.method.listOperations, (request) => {
      assert.deepEqual([request.name, request.pageSize, request.filter], ["operations", 3, "NOT done"]);
      return { operations: names.map((name) => ({ name })), nextPageToken: "more" };
    })
    .on(Belay.method.getOperation, ({ name }) => {
      if (name === "operations/b") throw refusal(status.NOT_FOUND, "OPERATION_NOT_FOUND", {});
      return { name };
    })
    .listen(t);
  const page = await client(t, peer).list({ filter: "NOT done", pageSize: 3 });
  assert.deepEqual(
    page.operations.map((operation) => operation.name),
    ["operations/a", "operations/c"],
  );
  assert.equal(page.nextPageToken, "more");
});

test("a peer that is no Belay server gives one error with a code", async (t) => {
  const peer = await new Peer().on(Belay.method.getReceipt, () => ({})).listen(t);
  await assert.rejects(client(t, peer).get(NAME), { name: "BelayError", code: "UNIMPLEMENTED" });
});
