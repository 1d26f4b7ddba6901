// Which scopes open which method of which service, as the pages of the services say, and what is answered without them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AutoMl } from "../../../src/protocol/gen/google/cloud/automl/v1beta1/service_pb.ts";
import { Operations } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { VaultService } from "../../../src/protocol/gen/vault/v1/vault_service_pb.ts";
import { OperationService } from "../../../src/protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import type { WireClient, WireReply } from "../wire/wire-client.ts";
import {
  CLOUD,
  EDISCOVERY,
  type IdentityWorld,
  READONLY,
  type ServiceId,
  startIdentityWorld,
  staticTokens,
} from "./identity-world.ts";

let world: IdentityWorld;
before(async () => {
  world = await startIdentityWorld();
});
after(() => world[Symbol.asyncDispose]());

type Call = (client: WireClient) => Promise<WireReply>;

/** An absent name: with the scope the answer is NOT_FOUND. */
const flat = "operations/opr00000000000000000";
const below = "projects/p/locations/l/operations/opr00000000000000000";
const parent = "projects/p/locations/l";
const models = `/v1beta1/${parent}/models`;

const vaultCalls: Readonly<Record<string, { method: string; calls: Call[] }>> = {
  get: {
    method: "google.longrunning.Operations/GetOperation",
    calls: [
      (client) => client.rest("GET", `/v1/${flat}`),
      (client) => client.grpc(Operations.method.getOperation, { name: flat }),
    ],
  },
  list: {
    method: "google.longrunning.Operations/ListOperations",
    calls: [
      (client) => client.rest("GET", "/v1/operations"),
      (client) => client.grpc(Operations.method.listOperations, { name: "operations" }),
    ],
  },
  wait: {
    method: "google.longrunning.Operations/WaitOperation",
    calls: [(client) => client.grpc(Operations.method.waitOperation, { name: flat })],
  },
  cancel: {
    method: "google.longrunning.Operations/CancelOperation",
    calls: [
      (client) => client.rest("POST", `/v1/${flat}:cancel`),
      (client) => client.grpc(Operations.method.cancelOperation, { name: flat }),
    ],
  },
  delete: {
    method: "google.longrunning.Operations/DeleteOperation",
    calls: [
      (client) => client.rest("DELETE", `/v1/${flat}`),
      (client) => client.grpc(Operations.method.deleteOperation, { name: flat }),
    ],
  },
  start: {
    method: "vault.v1.VaultService/CountArtifacts",
    calls: [
      (client) => client.rest("POST", "/v1/matters/m:count", { body: {} }),
      (client) => client.grpc(VaultService.method.countArtifacts, { matterId: "m" }),
    ],
  },
};

const automlCalls: Readonly<Record<string, { method: string; calls: Call[] }>> = {
  get: {
    method: "google.longrunning.Operations/GetOperation",
    calls: [
      (client) => client.rest("GET", `/v1beta1/${below}`),
      (client) => client.grpc(Operations.method.getOperation, { name: below }),
    ],
  },
  list: {
    method: "google.longrunning.Operations/ListOperations",
    calls: [
      (client) => client.rest("GET", `/v1beta1/${parent}/operations`),
      (client) => client.grpc(Operations.method.listOperations, { name: parent }),
    ],
  },
  wait: {
    method: "google.longrunning.Operations/WaitOperation",
    calls: [
      (client) => client.rest("POST", `/v1beta1/${below}:wait`),
      (client) => client.grpc(Operations.method.waitOperation, { name: below }),
    ],
  },
  cancel: {
    method: "google.longrunning.Operations/CancelOperation",
    calls: [
      (client) => client.rest("POST", `/v1beta1/${below}:cancel`),
      (client) => client.grpc(Operations.method.cancelOperation, { name: below }),
    ],
  },
  delete: {
    method: "google.longrunning.Operations/DeleteOperation",
    calls: [
      (client) => client.rest("DELETE", `/v1beta1/${below}`),
      (client) => client.grpc(Operations.method.deleteOperation, { name: below }),
    ],
  },
  start: {
    method: "google.cloud.automl.v1beta1.AutoMl/CreateModel",
    calls: [
      (client) => client.rest("POST", models, { body: {} }),
      (client) => client.grpc(AutoMl.method.createModel, { parent, model: {} }),
    ],
  },
};

function checkDenied(reply: WireReply, service: ServiceId, method: string, scopes: string[]): void {
  const { error } = reply;
  assert.ok(error, "it was let in");
  assert.deepEqual(
    [error.code, error.reason, error.message],
    [
      7,
      "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
      `the token lacks the scope that ${method} needs: one of ${scopes.join(", ")}`,
    ],
  );
  assert.deepEqual(error.metadata, { method, scopes: scopes.join(", "), service });
  assert.equal(
    reply.trailers["www-authenticate"],
    `Bearer realm="belay", error="insufficient_scope", scope="${scopes.join(" ")}"`,
  );
  if (reply.transport === "rest") assert.equal(reply.httpStatus, 403);
}

/** With the scope the call gets on: it finds nothing, or has no handler. */
function checkLetIn({ error }: WireReply): void {
  assert.ok(error === null || error.code === 5 || error.code === 12, JSON.stringify(error));
}

type Token = keyof typeof staticTokens;

const letIn: readonly [
  service: ServiceId,
  calls: typeof vaultCalls,
  kind: string,
  scopes: string[],
  tokens: Token[],
][] = [
  ...["get", "list", "wait"].map(
    (kind) => ["vault", vaultCalls, kind, [EDISCOVERY, READONLY], ["reader", "writer", "all"]] as const,
  ),
  ...["cancel", "delete", "start"].map(
    (kind) => ["vault", vaultCalls, kind, [EDISCOVERY], ["writer", "all"]] as const,
  ),
  ...["get", "list", "wait", "cancel", "delete", "start"].map(
    (kind) => ["automl", automlCalls, kind, [CLOUD], ["cloud", "all"]] as const,
  ),
].map(([service, calls, kind, scopes, tokens]) => [service, calls, kind, [...scopes], [...tokens]]);

const callers: readonly Token[] = ["all", "reader", "writer", "cloud", "other", "none"];

for (const [service, table, kind, scopes, tokens] of letIn) {
  const { method, calls } = table[kind]!;
  test(`${service} ${kind} opens with ${scopes.map((scope) => scope.slice(scope.lastIndexOf("/") + 1)).join(" or ")}, and with nothing else`, async () => {
    for (const caller of callers) {
      const client = world.client(service, staticTokens[caller]);
      for (const call of calls) {
        const reply = await call(client);
        if (tokens.includes(caller)) checkLetIn(reply);
        else checkDenied(reply, service, method, scopes);
      }
    }
  });
}

test("dai, default and yandex ask for no scope, but for a credential", async () => {
  const calls: readonly [ServiceId, Call[]][] = [
    ["dai", vaultCalls["cancel"]!.calls],
    ["default", vaultCalls["cancel"]!.calls],
    [
      "yandex",
      [
        (client) => client.rest("GET", "/operations/x:cancel"),
        (client) => client.grpc(OperationService.method.cancel, { operationId: "x" }),
      ],
    ],
  ];
  for (const [service, all] of calls) {
    for (const call of all) {
      assert.equal(
        (await call(world.client(service, staticTokens.none))).error?.reason,
        "OPERATION_NOT_FOUND",
      );
      assert.equal((await call(world.client(service))).error?.reason, "CREDENTIALS_MISSING");
    }
  }
});

test("the scopes of a signed token are its claim scope, or scp; without them it opens what asks for none", async () => {
  const rows: readonly [object, boolean][] = [
    [{ scope: `email ${EDISCOVERY}` }, true],
    [{ scp: [EDISCOVERY] }, true],
    [{ scp: EDISCOVERY }, true],
    [{ scope: READONLY }, false],
    [{}, false],
    [{ scope: EDISCOVERY.toUpperCase() }, false],
  ];
  for (const [claims, isLetIn] of rows) {
    const token = await world.fileToken(claims);
    const { error } = await world.client("vault", token).rest("POST", `/v1/${flat}:cancel`);
    const expected = isLetIn ? "OPERATION_NOT_FOUND" : "ACCESS_TOKEN_SCOPE_INSUFFICIENT";
    assert.equal(error?.reason, expected, JSON.stringify(claims));
    const { error: daiError } = await world.client("dai", token).rest("POST", `/v1/${flat}:cancel`);
    assert.equal(daiError?.reason, "OPERATION_NOT_FOUND");
  }
});

test("the whole body of a 403 for a missing scope", async () => {
  const { text } = await world.client("vault", staticTokens.reader).rest("POST", `/v1/${flat}:cancel`);
  const metadata = {
    method: "google.longrunning.Operations/CancelOperation",
    scopes: EDISCOVERY,
    service: "vault",
  };
  const info = {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    reason: "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
    domain: "belayd",
    metadata,
  };
  const message = `the token lacks the scope that ${metadata.method} needs: one of ${EDISCOVERY}`;
  const error = { code: 403, message, status: "PERMISSION_DENIED", details: [info] };
  assert.equal(text, JSON.stringify({ error }));
});
