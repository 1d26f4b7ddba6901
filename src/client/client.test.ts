// The client against a peer that is scripted call by call: what it sends, how it reads answers and errors, how it waits.
// Against the real server it is tested by the commands (tests/cli).
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageShape } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { Operations as Belay, State, Verdict } from "../protocol/gen/belay/v1/operations_pb.ts";
import { ErrorInfoSchema } from "../protocol/gen/google/rpc/error_details_pb.ts";
import { encodeStruct, STRUCT_TYPE_URL } from "../protocol/struct.ts";
import {
  BelayError,
  OperationCancelled,
  OperationError,
  OperationFailed,
  OperationHandle,
  StopUnconfirmed,
} from "./client.ts";
import { clientOf, Peer, refusal } from "./scripted-peer.fixture.ts";
import { startMessage } from "./start-message.ts";

const NAME = "operations/opr1";
const running = { name: NAME, state: State.RUNNING };
const succeeded = { name: NAME, state: State.SUCCEEDED, done: true };

test("an error carries the code's name, and reason and metadata of its ErrorInfo", async (t) => {
  const peer = await new Peer()
    .on(Belay.method.getOperation, () => {
      throw refusal(status.NOT_FOUND, "OPERATION_NOT_FOUND", { name: NAME });
    })
    .listen(t);
  await assert.rejects(clientOf(t, peer).get(NAME), (error) => {
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
  await assert.rejects(clientOf(t, peer).get(NAME), (error) => {
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
  const handle = await clientOf(t, peer).start("exec.nap", {
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

test("start refuses a payload that JSON cannot carry", () => {
  for (const value of [1n, new Date(0), () => {}, [undefined], Number.NaN]) {
    assert.throws(() => startMessage("t", { payload: { value } as never }), {
      name: "BelayError",
      code: "INVALID_ARGUMENT",
      reason: "INVALID_FIELD",
    });
  }
});

test("wait calls WaitOperation again until the operation is done", async (t) => {
  let waits = 0;
  const peer = await new Peer()
    .on(Belay.method.getOperation, () => (waits < 3 ? running : succeeded))
    .on(Belay.method.waitOperation, (request) => {
      assert.ok(Number(request.timeout!.seconds) > 0);
      return ++waits === 3 ? succeeded : running;
    })
    .listen(t);
  const operation = await clientOf(t, peer).wait(NAME);
  assert.equal(operation.state, State.SUCCEEDED);
  assert.equal(waits, 3);
});

test("wait of a done operation asks once", async (t) => {
  const peer = await new Peer().on(Belay.method.getOperation, () => succeeded).listen(t);
  assert.equal((await clientOf(t, peer).wait(NAME)).done, true);
});

test("wait of what a server that has answered before holds is one call, of WaitOperation", async (t) => {
  let waits = 0;
  const peer = await new Peer()
    .on(Belay.method.getOperation, () => (waits === 0 ? running : assert.fail("it was looked at again")))
    .on(Belay.method.waitOperation, () => {
      waits++;
      return succeeded;
    })
    .listen(t);
  const client = clientOf(t, peer);
  await client.get(NAME);
  for (const count of [1, 2]) {
    assert.equal((await client.wait(NAME)).state, State.SUCCEEDED);
    assert.equal(waits, count);
  }
});

test("wait answers the present state when its time is over", async (t) => {
  const timeouts: number[] = [];
  const peer = await new Peer()
    .on(Belay.method.getOperation, () => running)
    .on(Belay.method.waitOperation, ({ timeout }) => {
      timeouts.push(Number(timeout!.seconds) * 1000 + timeout!.nanos / 1e6);
      return running;
    })
    .listen(t);
  const operation = await clientOf(t, peer).wait(NAME, { timeoutMs: 300 });
  assert.equal(operation.done, false);
  // The peer answers at once, as a server that stops does: the client paces itself.
  assert.ok(timeouts.length <= 3, `${timeouts.length} calls`);
  assert.ok(timeouts.every((timeoutMs) => timeoutMs <= 300));
});

test("wait outlives a restart of the server", async (t) => {
  const inWait = Promise.withResolvers<void>();
  const first = await new Peer()
    .on(Belay.method.getOperation, () => running)
    .on(Belay.method.waitOperation, () => {
      inWait.resolve();
      return new Promise<never>(() => undefined);
    })
    .listen(t);
  const waiting = clientOf(t, first).wait(NAME);
  await inWait.promise;
  first.close();
  await new Peer()
    .on(Belay.method.getOperation, () => succeeded)
    .on(Belay.method.waitOperation, () => succeeded)
    .listen(t, first.port);
  assert.equal((await waiting).state, State.SUCCEEDED);
});

test("wait whose time is over while the server is away says that it is away", async (t) => {
  const peer = await new Peer().on(Belay.method.getOperation, () => running).listen(t);
  const client = clientOf(t, peer);
  await client.get(NAME);
  peer.close();
  await assert.rejects(client.wait(NAME, { timeoutMs: 300 }), { code: "UNAVAILABLE" });
});

test("wait of an operation that is gone rejects with NOT_FOUND, at once", async (t) => {
  const peer = await new Peer()
    .on(Belay.method.getOperation, () => running)
    .on(Belay.method.waitOperation, () => {
      throw refusal(status.NOT_FOUND, "OPERATION_NOT_FOUND", {});
    })
    .listen(t);
  await assert.rejects(clientOf(t, peer).wait(NAME), { code: "NOT_FOUND" });
});

test("wait asks again when the server holds as many waits as it takes", async (t) => {
  let waits = 0;
  const peer = await new Peer()
    .on(Belay.method.getOperation, () => (waits < 3 ? running : succeeded))
    .on(Belay.method.waitOperation, () => {
      if (++waits < 3) throw refusal(status.RESOURCE_EXHAUSTED, "OVERLOADED", {});
      return succeeded;
    })
    .listen(t);
  assert.equal((await clientOf(t, peer).wait(NAME)).state, State.SUCCEEDED);
  assert.equal(waits, 3);
});

test("an aborted call rejects with the signal's reason, and the server sees it end", async (t) => {
  const arrived = Promise.withResolvers<void>();
  const cancelled = Promise.withResolvers<void>();
  const peer = await new Peer()
    .on(Belay.method.getOperation, () => running)
    .on(Belay.method.waitOperation, (_, call) => {
      call.onCancelled(cancelled.resolve);
      arrived.resolve();
      return new Promise<never>(() => undefined);
    })
    .listen(t);
  const controller = new AbortController();
  const waiting = clientOf(t, peer).wait(NAME, { signal: controller.signal });
  await arrived.promise;
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(waiting, (error) => error === reason);
  await cancelled.promise;
});

test("a call whose signal has fired already is never sent", async (t) => {
  const peer = await new Peer().on(Belay.method.getOperation, () => assert.fail("it was sent")).listen(t);
  const signal = AbortSignal.abort(new Error("too late"));
  await assert.rejects(clientOf(t, peer).get(NAME, { signal }), { message: "too late" });
});

test("cancel answers the verdict by name", async (t) => {
  const peer = await new Peer()
    .on(Belay.method.cancelOperation, (request) => {
      assert.equal(request.reason, "wrong file");
      assert.equal(request.grace, undefined);
      return { verdict: Verdict.STOPPING, operation: running };
    })
    .listen(t);
  const { verdict, operation } = await clientOf(t, peer).operation(NAME).cancel({ reason: "wrong file" });
  assert.equal(verdict, "STOPPING");
  assert.equal(operation.name, NAME);
});

test("cancel sends who, why and how, and waits as long as it was told", async (t) => {
  const peer = await new Peer()
    .on(Belay.method.cancelOperation, (request) => {
      assert.equal(request.force, true);
      assert.equal(request.onBehalfOf, "user:ada");
      assert.equal(request.etag, '"7"');
      assert.equal(request.validateOnly, false);
      assert.equal(request.wait!.seconds, 2n);
      return { verdict: Verdict.PREVENTED_START, operation: succeeded };
    })
    .listen(t);
  const how = { force: true, onBehalfOf: "user:ada", etag: '"7"', waitMs: 2_000 };
  assert.equal((await clientOf(t, peer).cancel(NAME, how)).verdict, "PREVENTED_START");
});

test("preview asks with validate_only, and answers what would stop", async (t) => {
  const peer = await new Peer()
    .on(Belay.method.cancelOperation, (request) => {
      assert.equal(request.validateOnly, true);
      const preview = { stops: [{ name: NAME }], stopCount: 1, expectedTime: durationFromMs(40) };
      return { verdict: Verdict.STOPPING, operation: running, preview };
    })
    .listen(t);
  const { verdict, preview } = await clientOf(t, peer).operation(NAME).preview();
  assert.equal(verdict, "STOPPING");
  assert.deepEqual([preview.stopCount, preview.stops[0]!.name], [1, NAME]);
});

test("list is one call a page", async (t) => {
  const peer = await new Peer()
    .on(Belay.method.listOperations, (request) => {
      const { pageSize, filter, orderBy, showDeleted, pageToken } = request;
      assert.deepEqual(
        [pageSize, filter, orderBy, showDeleted, pageToken],
        [3, "NOT done", "create_time", true, "t"],
      );
      return { operations: [{ name: "operations/a" }, { name: "operations/b" }], nextPageToken: "more" };
    })
    .listen(t);
  const page = await clientOf(t, peer).list({
    ...{ filter: "NOT done", pageSize: 3, orderBy: "create_time", showDeleted: true, pageToken: "t" },
  });
  assert.deepEqual(
    page.operations.map((operation) => operation.name),
    ["operations/a", "operations/b"],
  );
  assert.equal(page.nextPageToken, "more");
});

test("batchStart answers a handle or an error for each request, in order", async (t) => {
  const peer = await new Peer()
    .on(Belay.method.batchStartOperations, ({ requests }) => {
      assert.deepEqual(
        requests.map(({ type, priority }) => [type, priority]),
        [
          ["a.b", 5],
          ["c.d", 0],
        ],
      );
      const details = [
        anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason: "OPERATION_TYPE_UNKNOWN" })),
      ];
      return {
        results: [
          { result: { case: "operation" as const, value: running } },
          { result: { case: "error" as const, value: { code: 3, message: "no such type", details } } },
        ],
      };
    })
    .listen(t);
  const [first, second] = await clientOf(t, peer).batchStart([{ type: "a.b", priority: 5 }, { type: "c.d" }]);
  assert.ok(first instanceof OperationHandle);
  assert.equal(first.name, NAME);
  assert.ok(second instanceof BelayError);
  assert.deepEqual([second.code, second.reason], ["INVALID_ARGUMENT", "OPERATION_TYPE_UNKNOWN"]);
});

test("start sends every rule, and leaves out what was not given", async (t) => {
  const requests: MessageShape<typeof Belay.method.startOperation.input>[] = [];
  const peer = await new Peer()
    .on(Belay.method.startOperation, (request) => {
      requests.push(request);
      return running;
    })
    .listen(t);
  const belay = clientOf(t, peer);
  await belay.start("a.b");
  await belay.start("a.b", {
    ...{ priority: -3, startDelayMs: 1500, concurrencyKey: "printer", keyLimit: 2, supersedeKey: "nightly" },
    ...{ unwatchedTimeoutMs: 60_000, maxAttempts: 3, backoffMs: 0, stallTimeoutMs: 250, retentionMs: 5_000 },
  });
  const [plain, full] = requests;
  assert.deepEqual([plain!.runPolicy, plain!.startDelay, plain!.keyLimit], [undefined, undefined, undefined]);
  assert.deepEqual([full!.priority, full!.concurrencyKey, full!.keyLimit], [-3, "printer", 2]);
  assert.deepEqual([full!.startDelay!.seconds, full!.startDelay!.nanos], [1n, 500_000_000]);
  assert.equal(full!.supersedeKey, "nightly");
  assert.equal(full!.unwatchedTimeout!.seconds, 60n);
  assert.equal(full!.runPolicy!.maxAttempts, 3);
  assert.equal(full!.runPolicy!.backoff!.seconds, 0n);
  assert.equal(full!.runPolicy!.attemptTimeout, undefined);
});

test("exportReceipts reads page after page, and workers all pages at once", async (t) => {
  const peer = await new Peer()
    .on(Belay.method.exportReceipts, ({ after, pageSize }) => {
      assert.equal(pageSize, 2);
      return { entries: [{ sequence: after + 1n }], nextAfter: after === 0n ? 1n : 0n };
    })
    .on(Belay.method.listWorkers, ({ pageToken }) => ({
      workers: [{ worker: pageToken === "" ? "one" : "two" }],
      nextPageToken: pageToken === "" ? "more" : "",
    }))
    .listen(t);
  const belay = clientOf(t, peer);
  const sequences: bigint[] = [];
  for await (const page of belay.exportReceipts({ pageSize: 2 })) sequences.push(page.entries[0]!.sequence);
  assert.deepEqual(sequences, [1n, 2n]);
  assert.deepEqual(
    (await belay.workers()).map(({ worker }) => worker),
    ["one", "two"],
  );
});

const failed = { name: NAME, state: State.FAILED, done: true };
const ends: readonly (readonly [string, object, unknown, string, string])[] = [
  [
    "a failure",
    { ...failed, result: { case: "error", value: { code: 4, message: "too late" } } },
    OperationFailed,
    "DEADLINE_EXCEEDED",
    "",
  ],
  [
    "a cancel",
    {
      name: NAME,
      state: State.CANCELLED,
      done: true,
      result: { case: "error", value: { code: 1, message: "x" } },
    },
    OperationCancelled,
    "CANCELLED",
    "",
  ],
  [
    "an unconfirmed stop",
    { ...failed, result: { case: "error", value: { code: 2, message: "STOP_UNCONFIRMED: nobody knows" } } },
    StopUnconfirmed,
    "UNKNOWN",
    "STOP_UNCONFIRMED",
  ],
];
for (const [what, operation, expected, code, reason] of ends) {
  test(`result throws ${what} as an error of its own, with the operation`, async (t) => {
    const peer = await new Peer().on(Belay.method.getOperation, () => operation).listen(t);
    await assert.rejects(clientOf(t, peer).operation(NAME).result(), (error) => {
      assert.ok(error instanceof OperationError);
      assert.equal(error.constructor, expected);
      assert.deepEqual([error.operation.name, error.code, error.reason], [NAME, code, reason]);
      return true;
    });
  });
}

test("result answers the response as JSON", async (t) => {
  const value = { typeUrl: STRUCT_TYPE_URL, value: encodeStruct({ pages: 3 }) };
  const peer = await new Peer()
    .on(Belay.method.getOperation, () => ({ ...succeeded, result: { case: "response" as const, value } }))
    .listen(t);
  assert.deepEqual(await clientOf(t, peer).operation(NAME).result(), { pages: 3 });
});

test("the abort of cancelOn cancels the operation, with the reason's message", async (t) => {
  const cancelled = Promise.withResolvers<string>();
  const peer = await new Peer()
    .on(Belay.method.startOperation, () => running)
    .on(Belay.method.cancelOperation, ({ reason }) => {
      cancelled.resolve(reason);
      return { verdict: Verdict.STOPPING, operation: running };
    })
    .listen(t);
  const controller = new AbortController();
  await clientOf(t, peer).start("a.b", { cancelOn: controller.signal });
  controller.abort(new Error("the page was closed"));
  assert.equal(await cancelled.promise, "the page was closed");
});

test("an abort of cancelOn while the start is under way cancels what was started", async (t) => {
  const [arrived, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const cancelled = Promise.withResolvers<void>();
  const peer = await new Peer()
    .on(Belay.method.startOperation, async () => {
      arrived.resolve();
      await answer.promise;
      return running;
    })
    .on(Belay.method.cancelOperation, () => {
      cancelled.resolve();
      return { verdict: Verdict.PREVENTED_START, operation: running };
    })
    .listen(t);
  const controller = new AbortController();
  const starting = clientOf(t, peer).start("a.b", { cancelOn: controller.signal });
  await arrived.promise;
  controller.abort();
  answer.resolve();
  await starting;
  await cancelled.promise;
});

test("a refused cancel of cancelOn is told by wait", async (t) => {
  const peer = await new Peer()
    .on(Belay.method.startOperation, () => running)
    .on(Belay.method.getOperation, () => running)
    .on(Belay.method.waitOperation, () => new Promise<never>(() => undefined))
    .on(Belay.method.cancelOperation, () => {
      throw refusal(status.UNIMPLEMENTED, "OPERATION_NOT_CANCELLABLE", {});
    })
    .listen(t);
  const controller = new AbortController();
  const handle = await clientOf(t, peer).start("a.b", { cancelOn: controller.signal });
  const waiting = handle.wait();
  controller.abort();
  await assert.rejects(waiting, { reason: "OPERATION_NOT_CANCELLABLE" });
});

test("a peer that is no Belay server gives one error with a code", async (t) => {
  const peer = await new Peer().on(Belay.method.getReceipt, () => ({})).listen(t);
  await assert.rejects(clientOf(t, peer).get(NAME), { name: "BelayError", code: "UNIMPLEMENTED" });
});
