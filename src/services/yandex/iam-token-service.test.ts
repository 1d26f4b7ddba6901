// IamTokenService over a port of the test's own: what it asks of its requests, and what it answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type Message } from "@bufbuild/protobuf";
import { RpcError } from "../../base/rpc-error.ts";
import {
  CreateIamTokenForServiceAccountRequestSchema,
  CreateIamTokenRequestSchema,
  RevokeIamTokenRequestSchema,
} from "../../protocol/gen/yandex/cloud/iam/v1/iam_token_service_pb.ts";
import type { ServiceMethod } from "../method.ts";
import { createIamTokenService, type IamTokens } from "./iam-token-service.ts";

const tokens: IamTokens = {
  exchangeOauthToken: async (text) => ({ token: `of-${text}`, expiresAt: 1_800_000_000_000_000 }),
  exchangeJwt: async (text) => ({ token: `of-${text}`, expiresAt: 1_800_000_000_000_000 }),
  revoke: async (text) => (text === "known" ? "aje1" : undefined),
};
const methods = new Map(createIamTokenService(tokens).methods.map((method) => [method.desc.name, method]));
const method = (name: string): ServiceMethod => methods.get(name)!;

async function answer(name: string, request: Message): Promise<string> {
  const served = method(name);
  return served.encodeJson(await served.invoke(request, {} as never));
}

test("Create answers the token and its end, for an OAuth token and for a signed one", async () => {
  for (const identity of [
    { case: "yandexPassportOauthToken", value: "x" },
    { case: "jwt", value: "x" },
  ] as const) {
    assert.equal(
      await answer("Create", create(CreateIamTokenRequestSchema, { identity })),
      '{"iamToken":"of-x","expiresAt":"2027-01-15T08:00:00Z"}',
    );
  }
});

const oauth = (value: string): Message =>
  create(CreateIamTokenRequestSchema, { identity: { case: "yandexPassportOauthToken", value } });
const jwt = (value: string): Message =>
  create(CreateIamTokenRequestSchema, { identity: { case: "jwt", value } });
const revoke = (iamToken: string): Message => create(RevokeIamTokenRequestSchema, { iamToken });

const refused: [name: string, request: Message, message: string][] = [
  [
    "Create",
    create(CreateIamTokenRequestSchema),
    "identity: is not set; send yandex_passport_oauth_token or jwt",
  ],
  ["Create", oauth(""), "yandex_passport_oauth_token: is empty"],
  [
    "Create",
    oauth("x".repeat(4001)),
    "yandex_passport_oauth_token: has 4001 characters; at most 4000 are taken",
  ],
  ["Create", jwt(""), "jwt: is empty"],
  ["Create", jwt("x".repeat(8001)), "jwt: has 8001 characters; at most 8000 are taken"],
  ["Revoke", revoke(""), "iam_token: is empty"],
  ["Revoke", revoke("x".repeat(4097)), "iam_token: has 4097 characters; at most 4096 are taken"],
  ["Revoke", revoke("unknown"), "iam_token: is no IAM token of this server"],
];

for (const [name, request, message] of refused) {
  test(`${name} refuses: ${message}`, async () => {
    await assert.rejects(answer(name, request), (error: unknown) => {
      assert.ok(error instanceof RpcError);
      assert.deepEqual([error.reason, error.message], ["INVALID_FIELD", message]);
      return true;
    });
  });
}

test("values of the longest length are taken", async () => {
  await answer("Create", oauth("x".repeat(4000)));
  await answer("Create", jwt("x".repeat(8000)));
});

test("Revoke answers whose token it was", async () => {
  assert.equal(await answer("Revoke", revoke("known")), '{"subjectId":"aje1"}');
});

test("CreateForServiceAccount is UNIMPLEMENTED, and the only method that asks who calls", async () => {
  await assert.rejects(
    answer("CreateForServiceAccount", create(CreateIamTokenForServiceAccountRequestSchema)),
    /method yandex\.cloud\.iam\.v1\.IamTokenService\/CreateForServiceAccount is not supported/,
  );
  assert.deepEqual(
    ["Create", "CreateForServiceAccount", "Revoke"].map((name) => method(name).isPublic === true),
    [true, false, true],
  );
});
