// Who started an operation, and who cancelled it: recorded from the credential, whatever its kind, and shown where it belongs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Operations as NativeOperations } from "../../../src/protocol/gen/belay/v1/operations_pb.ts";
import { Operations } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { type IdentityWorld, startIdentityWorld, staticTokens } from "./identity-world.ts";

let world: IdentityWorld;
before(async () => {
  world = await startIdentityWorld();
});
after(() => world[Symbol.asyncDispose]());

const principals: readonly [what: string, token: () => Promise<string> | string, id: string][] = [
  ["a static token", () => staticTokens.all, "user:ada"],
  ["an issuer's sub", () => world.fileToken({ sub: "grace" }), "user:grace"],
  ["an issuer's email", () => world.keysToken({ projects: "operations" }), "user:bob@example.com"],
  ["a service account", () => world.robotToken(), "serviceAccount:robot@project.iam.gserviceaccount.com"],
];

for (const [what, token, id] of principals) {
  test(`${what}: createdBy and the receipt's requestedBy are ${id}, on both transports`, async () => {
    const client = world.client("default", await token());
    const body = { type: "test.parked" };
    const started = [
      await client.rest("POST", "/belay/v1/operations", { body }),
      await client.grpc(NativeOperations.method.startOperation, body),
    ];
    for (const [index, { json, error }] of started.entries()) {
      assert.equal(error, null);
      const name = String(json?.["name"]);
      assert.equal(json?.["createdBy"], id);
      const cancelled =
        index === 0
          ? await client.rest("POST", `/v1/${name}:cancel`)
          : await client.grpc(Operations.method.cancelOperation, { name });
      assert.equal(cancelled.error, null);
      const receipt = (await client.rest("GET", `/belay/v1/${name}/receipt`)).json;
      assert.deepEqual(
        [receipt?.["requestedBy"], receipt?.["origin"]],
        [id, index === 0 ? "google/rest" : "google/grpc"],
      );
      const [requested] = (receipt?.["events"] ?? []) as { kind: string; by: string }[];
      assert.deepEqual([requested?.kind, requested?.by], ["REQUESTED", id]);
    }
  });
}

test("who cancels another's operation is on the receipt, and its creator stays", async () => {
  const ada = world.client("default", staticTokens.all);
  const { json } = await ada.rest("POST", "/belay/v1/operations", { body: { type: "test.parked" } });
  const name = String(json?.["name"]);
  const root = world.client("default", staticTokens.root);
  await root.rest("POST", `/belay/v1/${name}:cancel`, { body: { reason: "too long" } });
  const seen = (await ada.rest("GET", `/belay/v1/${name}`)).json;
  const cancellation = (seen?.["cancellation"] ?? {}) as { requestedBy?: string; reason?: string };
  assert.deepEqual(
    [seen?.["createdBy"], cancellation.requestedBy, cancellation.reason],
    ["user:ada", "user:root", "too long"],
  );
  const { error } = (await ada.rest("GET", `/v1/${name}`)).json as {
    error: { code: number; message: string };
  };
  assert.deepEqual([error.code, error.message], [1, "operation cancelled by user:root: too long"]);
});

test("yandex shows createdBy of whoever started it, on both transports", async () => {
  const client = world.client("yandex", staticTokens.all);
  const { json } = await client.rest("POST", "/belay/v1/operations", { body: { type: "test.parked" } });
  const name = String(json?.["name"]);
  assert.equal((await client.rest("GET", `/${name}`)).json?.["createdBy"], "user:ada");
});

test("a request id is one caller's tenant's own: another tenant's start with it is another operation", async () => {
  const body = { type: "test.parked", requestId: "shared-between-tenants" };
  const start = async (token: string): Promise<unknown> =>
    (await world.client("default", token).rest("POST", "/belay/v1/operations", { body })).json?.["name"];
  const first = await start(staticTokens.all);
  assert.equal(await start(staticTokens.all), first);
  const other = await start(staticTokens.globex);
  assert.ok(typeof other === "string" && other !== first);
});

test("what a token cannot say is not recorded: the tenant of a start is the credential's", async () => {
  const client = world.client("default", await world.keysToken({ org: "globex", projects: "operations" }));
  const { json } = await client.rest("POST", "/belay/v1/operations", { body: { type: "test.parked" } });
  const name = String(json?.["name"]);
  assert.equal((await world.client("default", staticTokens.globex).rest("GET", `/v1/${name}`)).error, null);
  const { error } = await world.client("default", staticTokens.all).rest("GET", `/v1/${name}`);
  assert.equal(error?.reason, "OPERATION_NOT_FOUND");
});
