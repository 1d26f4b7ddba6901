// Responses that are JSON objects (google.protobuf.Struct) in Google's client. Over gRPC the Any is bytes, and any client
// passes it on. Over REST the client decodes the Any itself and throws for a type that it was not built with: that is
// the client's own limit, measured here, and what helps is shown beside it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type BelayServer, startBelay, startOperation } from "./belay-server.ts";
import { type Gax, gaxVersions, operationsClient } from "./google-clients.ts";

const PATIENCE_MS = 15_000;

let server: BelayServer;
before(async () => {
  server = await startBelay();
});
after(async () => {
  await server.stop();
});

interface Operation {
  done: boolean;
  response?: { type_url: string; value: Uint8Array };
}

async function untilDone(client: Gax.OperationsClient, name: string): Promise<Operation> {
  const end = performance.now() + PATIENCE_MS;
  while (performance.now() < end) {
    const [operation] = (await client.getOperation({ name } as never)) as unknown as [Operation];
    if (operation.done) return operation;
  }
  assert.fail(`${name} is not done after ${PATIENCE_MS} ms`);
}

/** The type as protobufjs ships it. */
function structTypes(gax: typeof Gax): Gax.protobuf.INamespace {
  const types = gax.protobuf.common.get("google/protobuf/struct.proto");
  assert.ok(types);
  return types;
}

function decode(gax: typeof Gax, value: Uint8Array): object {
  const type = gax.protobuf.Root.fromJSON(structTypes(gax)).lookupType("google.protobuf.Struct");
  return type.toObject(type.decode(value));
}

for (const version of await gaxVersions()) {
  const { gax } = version;
  describe(version.name, () => {
    test("over gRPC the response is a Struct, and done", async () => {
      const client = operationsClient(version, "grpc", server);
      const operation = await untilDone(client, await startOperation(server, { type: "interop.struct" }));
      client.close();
      assert.equal(operation.response?.type_url, "type.googleapis.com/google.protobuf.Struct");
      assert.deepEqual(decode(gax, operation.response.value), { fields: { pages: { numberValue: 3 } } });
    });

    test("over REST a client that knows Struct reads it", async () => {
      const knownTypes = structTypes(gax).nested ?? {};
      const client = operationsClient(version, "rest", server, { knownTypes });
      const operation = await untilDone(client, await startOperation(server, { type: "interop.struct" }));
      client.close();
      assert.equal(operation.response?.type_url, "type.googleapis.com/google.protobuf.Struct");
      assert.deepEqual(decode(gax, operation.response.value), { fields: { pages: { numberValue: 3 } } });
    });

    test("over REST a client without Struct cannot read the done operation, alone or in a list", async () => {
      const client = operationsClient(version, "rest", server);
      const labels = { struct: version.name.replace(" ", "-") };
      const name = await startOperation(server, { type: "interop.struct", labels });
      const knowing = operationsClient(version, "rest", server, {
        knownTypes: structTypes(gax).nested ?? {},
      });
      await untilDone(knowing, name);
      knowing.close();
      // google-gax 6 takes its own failure to decode for UNAVAILABLE, and would repeat the call for ten minutes.
      const once = { retry: null } as never;
      const filter = `labels.struct = "${labels.struct}"`;
      await assert.rejects(
        client.getOperation({ name } as never, once),
        /no such type: google.protobuf.Struct/,
      );
      const list = client.listOperations({ name: "operations", filter } as never, once) as Promise<unknown>;
      await assert.rejects(list, /no such type: google.protobuf.Struct/);
      client.close();
    });
  });
}
