// yandex.cloud.iam.v1.IamTokenService over the wire: a token is made, used, revoked, and refused from then on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { IamTokenService } from "../../../src/protocol/gen/yandex/cloud/iam/v1/iam_token_service_pb.ts";
import { OperationService } from "../../../src/protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import { sign } from "../../../src/server/auth/auth.fixture.ts";
import type { WireReply } from "../wire/wire-client.ts";
import {
  IAM_ROBOT,
  type IdentityWorld,
  nowSeconds,
  OAUTH_TOKEN,
  startIdentityWorld,
  staticTokens,
} from "./identity-world.ts";

let world: IdentityWorld;
before(async () => {
  world = await startIdentityWorld();
});
after(() => world[Symbol.asyncDispose]());

type Transport = "grpc" | "rest";

function createToken(
  transport: Transport,
  request: JsonObject,
  token: string | null = null,
): Promise<WireReply> {
  const client = world.client("yandex", token);
  return transport === "grpc"
    ? client.grpc(IamTokenService.method.create, request)
    : client.rest("POST", "/iam/v1/tokens", { body: request });
}

function revoke(transport: Transport, iamToken: string): Promise<WireReply> {
  const client = world.client("yandex");
  return transport === "grpc"
    ? client.grpc(IamTokenService.method.revoke, { iamToken })
    : client.rest("POST", "/iam/v1/tokens:revoke", { body: { iamToken } });
}

function get(transport: Transport, name: string, token: string): Promise<WireReply> {
  const client = world.client("yandex", token);
  return transport === "grpc"
    ? client.grpc(OperationService.method.get, { operationId: name.slice("operations/".length) })
    : client.rest("GET", `/${name}`);
}

/** What the SDKs sign for a service account. */
function accountJwt(claims: object = {}, header: Record<string, unknown> = {}): Promise<string> {
  const aud = "https://iam.api.cloud.yandex.net/iam/v1/tokens";
  const iat = nowSeconds();
  return sign(world.keys.iamRobot, { iss: IAM_ROBOT, aud, iat, exp: iat + 3600, ...claims }, header);
}

for (const transport of ["grpc", "rest"] as const) {
  test(`${transport}: create, use, revoke, refused`, async () => {
    const made = await createToken(transport, { yandexPassportOauthToken: OAUTH_TOKEN });
    assert.equal(made.error, null);
    const iamToken = String(made.json?.["iamToken"]);
    const left = Date.parse(String(made.json?.["expiresAt"])) / 1000 - nowSeconds();
    assert.ok(left > 3590 && left <= 3600, String(left));

    const name = await world.start("yandex");
    const used = await get(transport, name, iamToken);
    assert.deepEqual([used.error, used.json?.["id"]], [null, name.slice("operations/".length)]);

    const revoked = await revoke(transport, iamToken);
    assert.deepEqual(revoked.json, { subjectId: "ajeada00000000000000" });
    for (const one of ["grpc", "rest"] as const) {
      const { error, trailers } = await get(one, name, iamToken);
      assert.deepEqual(
        [error?.code, error?.reason, error?.message],
        [16, "ACCESS_TOKEN_INVALID", "the token is refused: it was revoked"],
      );
      assert.equal(trailers["www-authenticate"], 'Bearer realm="belay", error="invalid_token"');
    }
    assert.deepEqual((await revoke(transport, iamToken)).json, { subjectId: "ajeada00000000000000" });
  });

  test(`${transport}: a service account's PS256 token is exchanged; its operations name it`, async () => {
    const made = await createToken(transport, { jwt: await accountJwt() });
    assert.equal(made.error, null);
    const client = world.client("yandex", String(made.json?.["iamToken"]));
    const { json } = await client.rest("POST", "/belay/v1/operations", { body: { type: "test.parked" } });
    assert.equal(json?.["createdBy"], IAM_ROBOT);
  });

  const refusedExchanges: readonly [
    what: string,
    request: () => Promise<JsonObject> | JsonObject,
    reason: string,
    message: string,
  ][] = [
    [
      "an unknown OAuth token",
      () => ({ yandexPassportOauthToken: "y0_unknown" }),
      "ACCESS_TOKEN_INVALID",
      "the token is refused: the OAuth token is not known here",
    ],
    [
      "an unknown service account",
      async () => ({ jwt: await accountJwt({ iss: "ajeother" }) }),
      "ACCESS_TOKEN_INVALID",
      "the token is refused: the service account is not known here",
    ],
    [
      "another audience",
      async () => ({ jwt: await accountJwt({ aud: "https://iam.evil.example/iam/v1/tokens" }) }),
      "ACCESS_TOKEN_INVALID",
      "the token is refused: its audience is not this server",
    ],
    [
      "an expired one",
      async () => ({ jwt: await accountJwt({ iat: nowSeconds() - 7200, exp: nowSeconds() - 3600 }) }),
      "ACCESS_TOKEN_EXPIRED",
      "the token has expired",
    ],
    [
      "two hours",
      async () => ({ jwt: await accountJwt({ exp: nowSeconds() + 7200 }) }),
      "ACCESS_TOKEN_INVALID",
      "the token is refused: its exp is more than 3600 s after its iat",
    ],
    [
      "another algorithm",
      async () => ({
        jwt: await sign(world.keys.published, {
          iss: IAM_ROBOT,
          aud: "https://iam.api.cloud.yandex.net/iam/v1/tokens",
          iat: nowSeconds(),
          exp: nowSeconds() + 60,
        }),
      }),
      "ACCESS_TOKEN_INVALID",
      "the token is refused: its algorithm is not accepted",
    ],
    [
      "an unknown key",
      async () => ({ jwt: await accountJwt({}, { kid: "iam-2" }) }),
      "ACCESS_TOKEN_INVALID",
      "the token is refused: its key is not known",
    ],
  ];
  for (const [what, request, reason, message] of refusedExchanges) {
    test(`${transport}: ${what} is refused: ${reason}`, async () => {
      const reply = await createToken(transport, await request());
      assert.deepEqual([reply.error?.code, reply.error?.reason, reply.error?.message], [16, reason, message]);
      if (transport === "rest") assert.equal(reply.httpStatus, 401);
    });
  }

  test(`${transport}: no identity at all is INVALID_ARGUMENT, as the SDK sends it without a token`, async () => {
    const reply = await createToken(transport, {});
    assert.deepEqual([reply.error?.code, reply.error?.reason], [3, "INVALID_FIELD"]);
  });
}

test("a token of one hour works for every service, and an IAM token is no OAuth token", async () => {
  const { json } = await createToken("rest", { yandexPassportOauthToken: OAUTH_TOKEN });
  const iamToken = String(json?.["iamToken"]);
  const { error } = await world
    .client("default", iamToken)
    .rest("GET", "/v1/operations/opr00000000000000000");
  assert.equal(error?.reason, "OPERATION_NOT_FOUND");
  const again = await createToken("rest", { yandexPassportOauthToken: iamToken });
  assert.equal(again.error?.message, "the token is refused: the OAuth token is not known here");
});

test("a host that the service account's token is for may carry a port: the SDKs make it of their endpoint", async () => {
  const rows: readonly [aud: string, isTaken: boolean][] = [
    ["https://iam.localhost:18443/iam/v1/tokens", true],
    ["https://iam.localhost/iam/v1/tokens", true],
    ["http://iam.localhost/iam/v1/tokens", false],
    ["https://iam.localhost.evil.example/iam/v1/tokens", false],
    ["https://iam.localhost:18443/iam/v1/tokens/", false],
  ];
  for (const [aud, isTaken] of rows) {
    const { error } = await createToken("rest", { jwt: await accountJwt({ aud }) });
    assert.equal(error === null, isTaken, aud);
  }
});

test("revoking what is no IAM token of ours tells nothing", async () => {
  for (const iamToken of ["garbage", staticTokens.all, await world.fileToken()]) {
    const { error, json } = await revoke("rest", iamToken);
    assert.ok(error !== null || json?.["subjectId"] === undefined, JSON.stringify(json));
  }
});
