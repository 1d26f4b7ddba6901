// Google's published operations client, unchanged, against a real server: google-gax 5 and 6, over gRPC and over REST.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type BelayServer, startBelay, startOperation } from "./belay-server.ts";
import {
  type ClientError,
  type Gax,
  gaxVersions,
  operationsClient,
  rejection,
  type Transport,
} from "./google-clients.ts";

const CANCELLED = 1;
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const UNIMPLEMENTED = 12;

const PATIENCE_MS = 15_000;

const httpStatuses: Readonly<Record<number, number>> = {
  [INVALID_ARGUMENT]: 400,
  [NOT_FOUND]: 404,
  [UNIMPLEMENTED]: 501,
};

let server: BelayServer;
before(async () => {
  server = await startBelay();
});
after(async () => {
  await server.stop();
});

/** An operation as the clients decode it; of `error` and `response` the one that is not set is left out. */
interface Operation {
  name: string;
  done: boolean;
  error?: { code: number; message: string; details: unknown[] };
  response?: { type_url: string };
}

async function get(client: Gax.OperationsClient, name: string): Promise<Operation> {
  const [operation] = await client.getOperation({ name } as never);
  return operation as unknown as Operation;
}

/** Polls as clients do, until the operation is done. */
async function untilDone(client: Gax.OperationsClient, name: string): Promise<Operation> {
  const end = performance.now() + PATIENCE_MS;
  while (performance.now() < end) {
    const operation = await get(client, name);
    if (operation.done) return operation;
  }
  assert.fail(`${name} is not done after ${PATIENCE_MS} ms`);
}

/** The client's own wrapper of an operation, polling every 20 ms or so. */
function wrap(gax: typeof Gax, client: Gax.OperationsClient, name: string): Gax.Operation {
  const nothing = (): Gax.protobuf.Message => new gax.protobuf.Message();
  const descriptor = new gax.LongrunningDescriptor(client, nothing, nothing);
  const backoff = gax.createBackoffSettings(20, 1.3, 100, 1000, 1, 1000, 30_000);
  return gax.operation({ name, done: false } as never, descriptor, backoff);
}

for (const version of await gaxVersions()) {
  for (const transport of ["grpc", "rest"] satisfies Transport[]) {
    describe(`${version.name} over ${transport}`, () => {
      /** google-gax 5 hands REST errors on as its HTTP library made them: the HTTP status, and the body as the message. */
      const isBare = version.name === "gax 5" && transport === "rest";
      let client: Gax.OperationsClient;
      before(() => {
        client = operationsClient(version, transport, server);
      });
      after(() => client.close());

      function assertRefused(error: ClientError, code: number, reason: string): void {
        if (isBare) {
          assert.equal(Number(error.code), httpStatuses[code]);
          assert.match(error.message, new RegExp(`"reason": ?"${reason}"`));
          return;
        }
        assert.equal(error.code, code, error.message);
        assert.equal(error.reason, reason);
        assert.equal(error.domain, "belayd");
      }

      test("get shows a running operation with neither result", async () => {
        const name = await startOperation(server, { type: "interop.hold" });
        const operation = await get(client, name);
        assert.equal(operation.name, name);
        assert.equal(operation.done, false);
        assert.ok(!operation.error);
        assert.ok(!operation.response);
      });

      test("list pages through the operations of a filter", async () => {
        const labels = { run: `${version.name}-${transport}`.replaceAll(" ", "-") };
        const wanted = new Set<string>();
        for (let count = 0; count < 5; count++)
          wanted.add(await startOperation(server, { type: "interop.hold", labels }));
        const request = { name: "operations", filter: `labels.run = "${labels.run}"`, pageSize: 2 };
        const listed: string[] = [];
        for await (const operation of client.listOperationsAsync(request as never)) {
          listed.push((operation as unknown as Operation).name);
        }
        assert.equal(listed.length, 5);
        assert.deepEqual(new Set(listed), wanted);
      });

      test("list with done = true shows only what is done", async () => {
        const labels = { done: `${version.name}-${transport}`.replaceAll(" ", "-") };
        const nap = await startOperation(server, { type: "interop.nap", labels });
        await startOperation(server, { type: "interop.hold", labels });
        await untilDone(client, nap);
        const filter = `done = true AND labels.done = "${labels.done}"`;
        const names: string[] = [];
        for await (const operation of client.listOperationsAsync({ name: "operations", filter } as never)) {
          names.push((operation as unknown as Operation).name);
        }
        assert.deepEqual(names, [nap]);
      });

      test("cancel stops the work, and the operation ends with code 1", async () => {
        const name = await startOperation(server, { type: "interop.hold" });
        await client.cancelOperation({ name } as never);
        const operation = await untilDone(client, name);
        assert.equal(operation.error?.code, CANCELLED);
        assert.deepEqual(operation.error?.details ?? [], []);
      });

      test("cancel may be repeated, also when the operation is done", async () => {
        const name = await startOperation(server, { type: "interop.hold" });
        await Promise.all([
          client.cancelOperation({ name } as never),
          client.cancelOperation({ name } as never),
        ]);
        await untilDone(client, name);
        await client.cancelOperation({ name } as never);
        assert.equal((await get(client, name)).error?.code, CANCELLED);
      });

      test("a cancel that comes too late leaves the response", async () => {
        const name = await startOperation(server, { type: "interop.nap" });
        await untilDone(client, name);
        await client.cancelOperation({ name } as never);
        const operation = await get(client, name);
        assert.ok(!operation.error);
        assert.ok(operation.response);
      });

      test("the operation's promise resolves when the work succeeds", async () => {
        const name = await startOperation(server, { type: "interop.nap" });
        await wrap(version.gax, client, name).promise();
      });

      test("the operation's promise rejects with code 1 after cancel", async () => {
        const operation = wrap(version.gax, client, await startOperation(server, { type: "interop.hold" }));
        const promise = rejection(operation.promise());
        await operation.cancel();
        const error = await promise;
        assert.equal(error.code, CANCELLED);
        assert.notEqual(error.message, "");
      });

      test("the operation's promise rejects with the failure of the work", async () => {
        const name = await startOperation(server, { type: "interop.fail" });
        const error = await rejection(wrap(version.gax, client, name).promise());
        assert.match(error.message, /page 2 cannot be read/);
      });

      test("delete hides the operation", async () => {
        const name = await startOperation(server, { type: "interop.nap" });
        await untilDone(client, name);
        await client.deleteOperation({ name } as never);
        assertRefused(await rejection(get(client, name)), NOT_FOUND, "OPERATION_NOT_FOUND");
      });

      test("get, cancel and delete of an unknown name are NOT_FOUND with reason and domain", async () => {
        const name = "operations/opr000000000000000000";
        assertRefused(await rejection(get(client, name)), NOT_FOUND, "OPERATION_NOT_FOUND");
        assertRefused(
          await rejection(client.cancelOperation({ name } as never)),
          NOT_FOUND,
          "OPERATION_NOT_FOUND",
        );
        assertRefused(
          await rejection(client.deleteOperation({ name } as never)),
          NOT_FOUND,
          "OPERATION_NOT_FOUND",
        );
      });

      test("cancel of a type that cannot be cancelled is UNIMPLEMENTED, and the work goes on", async () => {
        const name = await startOperation(server, { type: "interop.stubborn" });
        const error = await rejection(client.cancelOperation({ name } as never));
        assertRefused(error, UNIMPLEMENTED, "OPERATION_NOT_CANCELLABLE");
        assert.equal((await get(client, name)).done, false);
      });

      test("list with a broken filter is INVALID_ARGUMENT", async () => {
        const request = { name: "operations", filter: "done = = true" };
        const error = await rejection(client.listOperations(request as never) as Promise<unknown>);
        assertRefused(error, INVALID_ARGUMENT, "INVALID_FILTER");
      });

      test("operations below a parent are found under it", async () => {
        const parent = "projects/p1/locations/l1";
        const nested = operationsClient(version, transport, server, { parent: "projects/*/locations/*" });
        const name = await startOperation(server, { type: "interop.hold", parent });
        assert.ok(name.startsWith(`${parent}/operations/`), name);
        assert.equal((await get(nested, name)).name, name);
        const names: string[] = [];
        for await (const operation of nested.listOperationsAsync({ name: parent } as never)) {
          names.push((operation as unknown as Operation).name);
        }
        assert.ok(names.includes(name));
        await nested.cancelOperation({ name } as never);
        assert.equal((await untilDone(nested, name)).error?.code, CANCELLED);
        nested.close();
      });
    });
  }
}
