// Google's operations client against the built-in services `vault`, `dai` and `automl`, each with its own paths on a port
// of its own: google-gax 5 and 6, over gRPC and over REST.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type BelayServer, type Start, serviceOf, startBelay, startOperation } from "./belay-server.ts";
import {
  type ClientOptions,
  type Gax,
  gaxVersions,
  operationsClient,
  type Transport,
} from "./google-clients.ts";

const CANCELLED = 1;

/** The one message that AutoML's metadata consists of; a client of a service knows its types. */
const automlTypes = {
  google: {
    nested: {
      cloud: {
        nested: {
          automl: {
            nested: {
              v1beta1: {
                nested: {
                  OperationMetadata: { fields: { progressPercent: { type: "int32", id: 13 } } },
                },
              },
            },
          },
        },
      },
    },
  },
};

interface Service {
  id: string;
  start: Start;
  name: RegExp;
  /** What List takes as its name. */
  collection: string;
  options: ClientOptions;
}

const services: readonly Service[] = [
  {
    id: "vault",
    start: { type: "vault.count" },
    name: /^operations\/vlt[a-z0-9]{17}$/,
    collection: "operations",
    options: {},
  },
  {
    id: "dai",
    start: { type: "dai.ingest" },
    name: /^operations\/dai[a-z0-9]{17}$/,
    collection: "operations",
    options: {},
  },
  {
    id: "automl",
    start: {
      type: "automl.create-model",
      parent: "projects/p1/locations/l1",
      payload: { model: { displayName: "hold" } },
    },
    name: /^projects\/p1\/locations\/l1\/operations\/aml[a-z0-9]{17}$/,
    collection: "projects/p1/locations/l1",
    options: { parent: "projects/*/locations/*", prefix: "/v1beta1", knownTypes: automlTypes },
  },
];

let server: BelayServer;
before(async () => {
  server = await startBelay({ servicePorts: services.map(({ id }) => id) });
});
after(async () => {
  await server.stop();
});

interface Operation {
  name: string;
  done: boolean;
  error?: { code: number };
  response?: object;
}

async function get(client: Gax.OperationsClient, name: string): Promise<Operation> {
  const [operation] = await client.getOperation({ name } as never);
  return operation as unknown as Operation;
}

for (const version of await gaxVersions()) {
  for (const transport of ["grpc", "rest"] satisfies Transport[]) {
    for (const { id, start, name: pattern, collection, options } of services) {
      test(`${id}: ${version.name} over ${transport} cancels, gets, lists and deletes`, async () => {
        const endpoint = serviceOf(server, id);
        const client = operationsClient(version, transport, endpoint, options);
        const name = await startOperation(endpoint, start);
        assert.match(name, pattern);
        const pid = await server.heartbeats.working(name);
        assert.ok(!(await get(client, name)).done);

        await client.cancelOperation({ name } as never);
        let operation = await get(client, name);
        while (!operation.done) operation = await get(client, name);
        await server.heartbeats.assertStopped(name, pid);
        assert.equal(operation.error?.code, CANCELLED);
        assert.ok(!operation.response);

        const listed: string[] = [];
        for await (const found of client.listOperationsAsync({ name: collection } as never))
          listed.push((found as unknown as Operation).name);
        assert.ok(listed.includes(name));

        await client.deleteOperation({ name } as never);
        await assert.rejects(get(client, name), /not found/i);
        client.close();
      });
    }
  }
}

describe("a service's port", () => {
  test("knows nothing of another service's operations", async () => {
    const [version] = await gaxVersions();
    assert.ok(version);
    const name = await startOperation(serviceOf(server, "vault"), { type: "vault.count" });
    const client = operationsClient(version, "grpc", serviceOf(server, "dai"));
    await assert.rejects(get(client, name), /not found/i);
    await assert.rejects(client.cancelOperation({ name } as never) as Promise<unknown>, /not found/i);
    client.close();
  });
});
