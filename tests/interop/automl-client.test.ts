// The real AutoML client against the service `automl`: gRPC and REST, on the google-gax that it brings and on the next one.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type protos, v1beta1 } from "@google-cloud/automl";
import { type BelayServer, type Endpoint, serviceOf, startBelay } from "./belay-server.ts";
import { clientVersion } from "./client-version.ts";
import {
  type ClientError,
  type Gax,
  gaxVersions,
  rejection,
  type Transport,
  untilOperationDone,
} from "./google-clients.ts";
import { idOf } from "./heartbeat.ts";

const CANCELLED = 1;
const NOT_FOUND = 5;

const parent = "projects/p1/locations/us-central1";
const absent = `${parent}/operations/aml00000000000000000`;

type Client = v1beta1.AutoMlClient;
type ModelOperation = Awaited<ReturnType<Client["checkCreateModelProgress"]>>;

let server: BelayServer;
before(async () => {
  server = await startBelay({ servicePorts: ["automl"] });
});
after(async () => {
  await server.stop();
});

/** The configuration for a server of one's own, without credentials. `port` must be an option of its own. */
function connect(transport: Transport, { host, port }: Endpoint, gax: typeof Gax): Client {
  const address = { apiEndpoint: host, port };
  const instance = (transport === "rest" ? gax.fallback : gax) as never;
  if (transport === "grpc") {
    const sslCreds = gax.grpc.credentials.createInsecure();
    return new v1beta1.AutoMlClient({ ...address, sslCreds } as never, instance);
  }
  const authClient = new gax.googleAuthLibrary.PassThroughClient();
  return new v1beta1.AutoMlClient(
    { ...address, fallback: true, protocol: "http", authClient } as never,
    instance,
  );
}

async function create(client: Client, displayName: string): Promise<ModelOperation> {
  const model = { displayName, datasetId: "ICN1", imageClassificationModelMetadata: { trainBudget: 1 } };
  const [operation] = await client.createModel({ parent, model });
  return operation as ModelOperation;
}

function nameOf(operation: ModelOperation): string {
  return operation.name ?? assert.fail("the operation has no name");
}

type Operation = protos.google.longrunning.IOperation;

async function get(client: Client, name: string): Promise<Operation> {
  const [operation] = await client.operationsClient.getOperation({ name } as never);
  return operation as unknown as Operation;
}

async function list(client: Client, filter: string): Promise<string[]> {
  const names: string[] = [];
  for await (const found of client.operationsClient.listOperationsAsync({ name: parent, filter } as never))
    names.push((found as unknown as { name: string }).name);
  return names;
}

function notFound(isBare: boolean): (error: ClientError) => boolean {
  // google-gax 5 hands REST errors on as HTTP errors.
  return ({ code }) => Number(code) === (isBare ? 404 : NOT_FOUND);
}

for (const { name: version, gax } of await gaxVersions()) {
  for (const transport of ["grpc", "rest"] satisfies Transport[]) {
    describe(`${clientVersion("@google-cloud/automl")} on ${version} over ${transport}`, () => {
      let client: Client;
      const isNotFound = notFound(version === "gax 5" && transport === "rest");
      before(() => {
        client = connect(transport, serviceOf(server, "automl"), gax);
      });
      after(() => client.close());

      test("createModel starts work, cancel stops it, and its promise rejects with code 1", async (t) => {
        t.diagnostic(`${clientVersion("@google-cloud/automl")}, ${version}, ${transport}`);
        const operation = await create(client, "hold");
        const name = nameOf(operation);
        assert.match(name, /^projects\/p1\/locations\/us-central1\/operations\/aml[a-z0-9]{17}$/);
        const pid = await server.heartbeats.working(name);
        const promise = rejection(operation.promise());
        await operation.cancel();
        const error = await promise;
        assert.equal(error.code, CANCELLED, error.message);
        const { done, error: status, response } = await untilOperationDone(() => get(client, name));
        await server.heartbeats.assertStopped(name, pid);
        assert.deepEqual([done, status?.code, status?.details ?? []], [true, CANCELLED, []]);
        assert.ok(!response);
      });

      test("the promise resolves with the model and metadata at 100 percent", async () => {
        const operation = await create(client, "quick");
        const [model, metadata] = (await operation.promise()) as [
          protos.google.cloud.automl.v1beta1.IModel,
          protos.google.cloud.automl.v1beta1.IOperationMetadata,
          unknown,
        ];
        assert.equal(model.name, `${parent}/models/ICN42`);
        assert.equal(model.displayName, "quick");
        assert.equal(metadata.progressPercent, 100);
        assert.ok(metadata.createModelDetails && metadata.createTime && metadata.updateTime);
      });

      test("the progress of the running work is in its metadata", async () => {
        const name = nameOf(await create(client, "hold"));
        const pid = await server.heartbeats.working(name);
        let progress = 0;
        for (const end = performance.now() + 10_000; progress !== 25 && performance.now() < end; ) {
          const checked = await client.checkCreateModelProgress(name);
          assert.ok(!checked.done && !checked.error);
          progress = (checked.metadata as { progressPercent?: number }).progressPercent ?? 0;
        }
        assert.equal(progress, 25);
        const { operationsClient } = client;
        await Promise.all([1, 2, 3].map(() => operationsClient.cancelOperation({ name } as never)));
        let operation = await get(client, name);
        while (!operation.done) operation = await get(client, name);
        assert.equal(operation.error?.code, CANCELLED);
        await server.heartbeats.assertStopped(name, pid);
        // A cancel of what is done is fine, and changes nothing.
        await operationsClient.cancelOperation({ name } as never);
        assert.deepEqual(await get(client, name), operation);
      });

      test("list finds it under its parent, delete hides it", async () => {
        const operation = await create(client, "quick");
        const name = nameOf(operation);
        await operation.promise();
        assert.ok((await list(client, "done = true")).includes(name));
        await client.operationsClient.deleteOperation({ name } as never);
        assert.ok(!(await list(client, "done = true")).includes(name));
        await assert.rejects(get(client, name), isNotFound);
      });

      test("deleteModel's promise resolves with nothing", async () => {
        const [operation] = await client.deleteModel({ name: `${parent}/models/ICN42` });
        assert.match(idOf(operation.name ?? ""), /^aml/);
        await operation.promise();
      });

      test("get and cancel of an unknown name are NOT_FOUND", async () => {
        await assert.rejects(get(client, absent), isNotFound);
        const cancelled = client.operationsClient.cancelOperation({ name: absent } as never);
        await assert.rejects(cancelled as Promise<unknown>, isNotFound);
      });

      test("createModel without a model is refused before anything starts", async () => {
        const error = await rejection(client.createModel({ parent }));
        assert.ok(
          Number(error.code) === (version === "gax 5" && transport === "rest" ? 400 : 3),
          error.message,
        );
      });
    });
  }
}
