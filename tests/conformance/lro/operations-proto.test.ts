// The sentences of google/longrunning/operations.proto and AIP-151, each checked over gRPC and over REST.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CallFailure, grpcLroClient, type LroClient, restLroClient } from "./lro-client.ts";
import { type LroWorld, startWorld } from "./lro-world.ts";

let world: LroWorld;
let clients: LroClient[];

before(async () => {
  world = await startWorld();
  clients = [grpcLroClient(world.grpc), restLroClient(world.url)];
});
after(() => world[Symbol.asyncDispose]());

/** One test for each transport. */
function sentence(quote: string, check: (client: LroClient) => Promise<void>): void {
  for (const [index, transport] of ["grpc", "rest"].entries()) {
    test(`${transport}: ${quote}`, () => check(clients[index]!));
  }
}

const failsWith =
  (reason: string) =>
  (error: unknown): boolean =>
    error instanceof CallFailure && error.reason === reason;

/** Every call that names one operation. */
function callsOn(client: LroClient, name: string): (() => Promise<unknown>)[] {
  return [
    () => client.get(name),
    () => client.wait(name, 10),
    () => client.cancel(name),
    () => client.delete(name),
  ];
}

sentence("`name` should be a resource name ending with `operations/{unique_id}`", async (client) => {
  const [first, second] = [await world.startDone(), await world.startDone()];
  assert.match(first, /^operations\/[a-z0-9-]+$/);
  assert.notEqual(first, second);
  assert.equal((await client.get(first)).name, first);
});

sentence("names under any parent are served", async (client) => {
  for (const parent of ["projects/p", "projects/p/locations/l", "projects/p/locations/l/things/t.1_~-"]) {
    const name = await world.start("test.parked", {}, parent);
    assert.ok(name.startsWith(`${parent}/operations/`));
    assert.equal((await client.get(name)).name, name);
    assert.deepEqual((await client.list({ name: parent })).names.includes(name), true);
    assert.equal((await client.wait(name, 0)).done, false);
    assert.equal(await client.cancel(name), "PREVENTED_START");
    await client.delete(name);
    await assert.rejects(client.get(name), failsWith("OPERATION_NOT_FOUND"));
  }
});

sentence("If the value is `false`, it means the operation is still in progress", async (client) => {
  const name = await world.startRunning();
  const { done, error, responseType } = await client.get(name);
  assert.deepEqual([done, error, responseType], [false, null, null]);
  world.finish(name);
});

sentence(
  "If `true`, the operation is completed, and either `error` or `response` is available",
  async (client) => {
    const succeeded = await client.get(await world.startDone("test.echo", { pages: 3 }));
    assert.deepEqual([succeeded.done, succeeded.error], [true, null]);
    assert.equal(succeeded.responseType, "type.googleapis.com/google.protobuf.Struct");
    const failed = await client.get(await world.startDone("test.fail", { code: 9 }));
    assert.deepEqual([failed.done, failed.responseType], [true, null]);
  },
);

sentence(
  "If the original method returns no data on success, the response is google.protobuf.Empty",
  async (client) => {
    const { responseType } = await client.get(await world.startDone("test.empty"));
    assert.equal(responseType, "type.googleapis.com/google.protobuf.Empty");
  },
);

sentence("Operation.error.code is the google.rpc code number, and details are empty", async (client) => {
  for (const code of [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]) {
    const { error } = await client.get(await world.startDone("test.fail", { code }));
    assert.deepEqual(error, { code, message: "the work failed", details: 0 });
  }
});

sentence("a handler's own code 1 is not a cancellation: it becomes UNKNOWN", async (client) => {
  const { error } = await client.get(await world.startDone("test.fail", { code: 1 }));
  assert.equal(error?.code, 2);
});

sentence("metadata is absent where the service declares none", async (client) => {
  assert.equal((await client.get(await world.startDone())).metadataType, null);
});

sentence("Starts asynchronous cancellation on a long-running operation", async (client) => {
  const name = await world.startRunning("test.stubborn");
  assert.equal(await client.cancel(name), "STOPPING");
  assert.equal((await client.get(name)).done, false);
  world.finish(name);
});

sentence(
  "On successful cancellation, the operation is not deleted; it becomes an operation with an error with code 1, `CANCELLED`",
  async (client) => {
    const name = await world.startRunning();
    assert.equal(await client.cancel(name), "STOPPING");
    const { done, error, responseType } = await client.wait(name, 5000);
    assert.deepEqual([done, error?.code, responseType], [true, 1, null]);
    assert.deepEqual((await client.get(name)).error?.code, 1);
    assert.ok((await client.list({ pageSize: 1000 })).names.includes(name));
  },
);

sentence(
  "The server makes a best effort to cancel: work that completes despite the cancel succeeds",
  async (client) => {
    const name = await world.startRunning("test.stubborn");
    await client.cancel(name);
    assert.deepEqual((await client.get(name)).error, null);
    world.finish(name);
    const { done, error, responseType } = await client.wait(name, 5000);
    assert.deepEqual([done, error, responseType !== null], [true, null, true]);
  },
);

sentence("a cancel before the start prevents it, at once", async (client) => {
  const name = await world.start("test.parked");
  assert.equal(await client.cancel(name), "PREVENTED_START");
  assert.equal((await client.get(name)).error?.code, 1);
});

sentence("Cancel is idempotent, and of a finished operation an OK that changes nothing", async (client) => {
  const running = await world.startRunning("test.stubborn");
  assert.deepEqual(
    [await client.cancel(running), await client.cancel(running)],
    ["STOPPING", "ALREADY_STOPPING"],
  );
  world.finish(running);
  const succeeded = await world.startDone();
  assert.equal(await client.cancel(succeeded), "TOO_LATE_SUCCEEDED");
  assert.equal((await client.get(succeeded)).error, null);
  assert.equal(await client.cancel(await world.startDone("test.fail")), "TOO_LATE_FAILED");
  const cancelled = await world.start("test.parked");
  await client.cancel(cancelled);
  assert.equal(await client.cancel(cancelled), "ALREADY_CANCELLED");
});

sentence(
  "If the server doesn't support this method, it returns `google.rpc.Code.UNIMPLEMENTED`",
  async (client) => {
    const name = await world.startRunning("test.fixed");
    const failure = await client.cancel(name).then(
      () => assert.fail("it was cancelled"),
      (error: CallFailure) => error,
    );
    assert.deepEqual([failure.code, failure.reason], [12, "OPERATION_NOT_CANCELLABLE"]);
    assert.equal(failure.headers["belay-cancel-verdict"], "REFUSED_NOT_CANCELLABLE");
    world.finish(name);
  },
);

sentence(
  "Delete indicates that the client is no longer interested in the operation result. It does not cancel the operation",
  async (client) => {
    const name = await world.startRunning();
    await client.delete(name);
    for (const call of callsOn(client, name)) {
      await assert.rejects(call(), failsWith("OPERATION_NOT_FOUND"));
    }
    assert.ok(!(await client.list({ pageSize: 1000 })).names.includes(name));
    assert.equal((await world.engine.detail(world.key(name))).record.state, "RUNNING");
    world.finish(name);
  },
);

sentence("a type may refuse to delete running operations: FAILED_PRECONDITION", async (client) => {
  const name = await world.startRunning("test.keep");
  await assert.rejects(
    client.delete(name),
    (error: CallFailure) => error.code === 9 && error.reason === "DELETE_REFUSED",
  );
  world.finish(name);
  await client.wait(name, 5000);
  await client.delete(name);
});

sentence(
  "Waits until the specified operation is done or reaches at most a specified timeout",
  async (client) => {
    const name = await world.startRunning();
    const waiting = client.wait(name, 10_000);
    setImmediate(() => world.finish(name));
    assert.equal((await waiting).done, true);
  },
);

sentence("If the operation is already done, the latest state is immediately returned", async (client) => {
  const name = await world.startDone();
  const began = performance.now();
  assert.equal((await client.wait(name, 60_000)).done, true);
  assert.ok(performance.now() - began < 30_000);
});

sentence("a timeout that passes is not an error: the latest state is returned", async (client) => {
  const name = await world.startRunning();
  assert.equal((await client.wait(name, 50)).done, false);
  assert.equal((await client.wait(name, 0)).done, false);
  world.finish(name);
});

sentence(
  "calls on a name that does not exist are NOT_FOUND, on a broken one INVALID_ARGUMENT",
  async (client) => {
    const absent = "operations/opr00000000000000000";
    for (const call of callsOn(client, absent)) {
      await assert.rejects(
        call(),
        (error: CallFailure) => error.code === 5 && error.reason === "OPERATION_NOT_FOUND",
      );
    }
    const broken = "operations/NO_SUCH/thing";
    for (const call of callsOn(client, broken)) {
      await assert.rejects(
        call(),
        (error: CallFailure) => error.code === 3 && error.reason === "INVALID_NAME",
      );
    }
  },
);
