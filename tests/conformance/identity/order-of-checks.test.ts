// What is told first (AIP-211): who calls, then scopes, then grants, then what is wrong with the request, and last what there
// is. Each row is wrong in everything that comes after it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AutoMl } from "../../../src/protocol/gen/google/cloud/automl/v1beta1/service_pb.ts";
import { Operations } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import type { WireClient, WireReply } from "../wire/wire-client.ts";
import { CLOUD, type IdentityWorld, startIdentityWorld, staticTokens } from "./identity-world.ts";

let world: IdentityWorld;
before(async () => {
  world = await startIdentityWorld();
});
after(() => world[Symbol.asyncDispose]());

const collection = "projects/q/locations/l/operations";
const malformed = `${collection}/A!`;
const absent = `${collection}/opr00000000000000000`;

/** Credentials of one service account each: no scope, no grant, and both. */
async function tokenOf(problem: "none" | "scope" | "grant" | "good"): Promise<string | null> {
  if (problem === "none") return null;
  if (problem === "scope") return staticTokens.none;
  const projects = problem === "grant" ? "projects/other" : "projects/q";
  return world.keysToken({ scope: CLOUD, projects });
}

const steps = [
  ["none", 16, 401, "CREDENTIALS_MISSING"],
  ["scope", 7, 403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT"],
  ["grant", 7, 403, "IAM_PERMISSION_DENIED"],
] as const;

type Call = readonly [what: string, call: (client: WireClient) => Promise<WireReply>, reason: string];

const calls: readonly Call[] = [
  ["Get, a malformed name", (client) => client.rest("GET", `/v1beta1/${malformed}`), "INVALID_NAME"],
  [
    "Cancel, a body that is no JSON",
    (client) => client.rest("POST", `/v1beta1/${absent}:cancel`, { body: "{" }),
    "INVALID_JSON",
  ],
  [
    "Cancel, a body of another kind",
    (client) =>
      client.rest("POST", `/v1beta1/${absent}:cancel`, {
        body: "a=b",
        headers: { "content-type": "text/plain" },
      }),
    "CONTENT_TYPE_REFUSED",
  ],
  [
    "Cancel, an unknown parameter",
    (client) => client.rest("POST", `/v1beta1/${absent}:cancel?x=1`),
    "INVALID_QUERY_PARAMETER",
  ],
  [
    "List, a broken filter",
    (client) => client.rest("GET", `/v1beta1/${collection}?filter=(`),
    "INVALID_FILTER",
  ],
  [
    "CreateModel, an unknown field",
    (client) => client.rest("POST", "/v1beta1/projects/q/locations/l/models", { body: { x: 1 } }),
    "INVALID_JSON",
  ],
  [
    "gRPC Get, a malformed name",
    (client) => client.grpc(Operations.method.getOperation, { name: malformed }),
    "INVALID_NAME",
  ],
  [
    "gRPC List, a broken filter",
    (client) => client.grpc(Operations.method.listOperations, { name: collection, filter: "(" }),
    "INVALID_FILTER",
  ],
  [
    "gRPC CreateModel, no handler and no model",
    (client) => client.grpc(AutoMl.method.createModel, { parent: "projects/q/locations/l" }),
    "START_NOT_SERVED",
  ],
];

for (const [what, call, reason] of calls) {
  test(`${what}: 401 before 403 before ${reason}`, async () => {
    for (const [problem, code, status, expected] of steps) {
      const reply = await call(world.client("automl", await tokenOf(problem)));
      assert.deepEqual([reply.error?.code, reply.error?.reason], [code, expected]);
      if (reply.transport === "rest") assert.equal(reply.httpStatus, status);
    }
    const reply = await call(world.client("automl", await tokenOf("good")));
    assert.equal(reply.error?.reason, reason);
  });
}

test("what exists is told last: NOT_FOUND needs a credential, a scope, a grant and a good request", async () => {
  const client = world.client("automl", await tokenOf("good"));
  for (const reply of [
    await client.rest("GET", `/v1beta1/${absent}`),
    await client.rest("POST", `/v1beta1/${absent}:cancel`),
    await client.grpc(Operations.method.cancelOperation, { name: absent }),
  ]) {
    assert.deepEqual([reply.error?.code, reply.error?.reason], [5, "OPERATION_NOT_FOUND"]);
  }
});

test("without a credential a broken protobuf message is UNAUTHENTICATED, with one INVALID_ARGUMENT", async () => {
  const path = "/google.longrunning.Operations/GetOperation";
  const broken = Buffer.from([0x0a, 0xff]);
  const nobody = await world.client("default").grpcBytes(path, broken);
  assert.equal(nobody.error?.reason, "CREDENTIALS_MISSING");
  const ada = await world.client("default", staticTokens.all).grpcBytes(path, broken);
  assert.equal(ada.error?.reason, "INVALID_FIELD");
});

test("paths and gRPC methods that are not served are told without a credential: they are in the documents", async () => {
  const client = world.client("default");
  assert.equal((await client.rest("GET", "/v2/operations")).error?.reason, "ROUTE_NOT_FOUND");
  const unknown = await client.grpcBytes("/google.longrunning.Operations/Purge", Buffer.alloc(0));
  assert.equal(unknown.error?.reason, "METHOD_NOT_SUPPORTED");
});
