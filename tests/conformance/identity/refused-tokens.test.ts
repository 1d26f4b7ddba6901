// Credentials that are not good: each with its HTTP status, gRPC code, reason, message and challenge, on a service of each
// dialect and on both transports. Nothing of a token is ever repeated.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { Operations } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { OperationService } from "../../../src/protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import { sign } from "../../../src/server/auth/auth.fixture.ts";
import type { WireReply } from "../wire/wire-client.ts";
import { sendCancelFrames } from "./cancel-frames.ts";
import {
  FILE_ISSUER,
  type IdentityWorld,
  nowSeconds,
  ROBOT,
  startIdentityWorld,
  staticTokens,
} from "./identity-world.ts";

let world: IdentityWorld;
before(async () => {
  world = await startIdentityWorld();
});
after(() => world[Symbol.asyncDispose]());

type Authorization = string | string[];

interface Row {
  what: string;
  /** Of the header authorization. */
  value: () => Promise<Authorization> | Authorization;
  reason: string;
  message: string;
}

const bearer = async (token: Promise<string>): Promise<string> => `Bearer ${await token}`;
const invalid = (problem: string): Pick<Row, "reason" | "message"> => ({
  reason: "ACCESS_TOKEN_INVALID",
  message: `the token is refused: ${problem}`,
});

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token whose header is written by hand. */
function handMade(header: object, signature: (signed: string) => string): string {
  const claims = { iss: FILE_ISSUER, aud: "belay", sub: "ada", exp: nowSeconds() + 600 };
  const signed = `${base64url(header)}.${base64url(claims)}`;
  return `Bearer ${signed}.${signature(signed)}`;
}

const rows: readonly Row[] = [
  {
    what: "no authorization at all",
    value: () => [],
    reason: "CREDENTIALS_MISSING",
    message: "the call has no credential: send the header authorization: Bearer TOKEN",
  },
  {
    what: "another scheme",
    value: () => "Basic dXNlcjpwYXNz",
    reason: "ACCESS_TOKEN_TYPE_UNSUPPORTED",
    message: "authorization of the kind Basic is not supported; send Bearer",
  },
  {
    what: "a bare token without a scheme",
    value: () => "secret-of-somebody",
    reason: "ACCESS_TOKEN_TYPE_UNSUPPORTED",
    message: "authorization of the kind that was sent is not supported; send Bearer",
  },
  {
    what: "nothing after Bearer",
    value: () => "Bearer",
    ...invalid("the authorization header is malformed"),
  },
  { what: "two words", value: () => "Bearer a b", ...invalid("the authorization header is malformed") },
  {
    what: "two tokens in one header",
    value: () => "Bearer a, Bearer b",
    ...invalid("the authorization header is malformed"),
  },
  {
    what: "an unknown opaque token",
    value: () => "Bearer no-such-token-here",
    ...invalid("it is not known here"),
  },
  {
    what: "8,193 characters",
    value: () => `Bearer ${"x".repeat(8193)}`,
    ...invalid("it has 8193 characters; at most 8192 are taken"),
  },
  { what: "three parts of garbage", value: () => "Bearer a.b.c", ...invalid("it is not known here") },
  {
    what: "an expired one",
    value: () => bearer(world.fileToken({ exp: nowSeconds() - 60 })),
    reason: "ACCESS_TOKEN_EXPIRED",
    message: "the token has expired",
  },
  {
    what: "one without exp",
    value: () => bearer(world.fileToken({ exp: undefined })),
    ...invalid("it has no exp claim"),
  },
  {
    what: "one of tomorrow",
    value: () => bearer(world.fileToken({ nbf: nowSeconds() + 600 })),
    ...invalid("it is not valid yet"),
  },
  {
    what: "another audience",
    value: () => bearer(world.fileToken({ aud: "other" })),
    ...invalid("its audience is not this server"),
  },
  {
    what: "no audience",
    value: () => bearer(world.fileToken({ aud: undefined })),
    ...invalid("its audience is not this server"),
  },
  {
    what: "another issuer",
    value: () => bearer(world.fileToken({ iss: "https://evil.example/" })),
    ...invalid("its issuer is not trusted here"),
  },
  {
    what: "no issuer",
    value: () => bearer(world.fileToken({ iss: undefined })),
    ...invalid("its issuer is not trusted here"),
  },
  {
    what: "another key under the same id",
    value: () => bearer(world.fileToken({}, {}, world.keys.stranger)),
    ...invalid("its signature does not match"),
  },
  {
    what: "algorithm none",
    value: () => handMade({ alg: "none" }, () => ""),
    ...invalid("its algorithm is not accepted"),
  },
  {
    what: "HMAC with the public key as secret",
    value: () =>
      handMade({ alg: "HS256", typ: "JWT" }, (signed) =>
        createHmac("sha256", world.keys.file.pem).update(signed).digest("base64url"),
      ),
    ...invalid("its algorithm is not accepted"),
  },
  {
    what: "an unknown key id",
    value: () => bearer(world.keysToken({}, { kid: "published-2" })),
    ...invalid("its key is not known"),
  },
  {
    what: "no tenant where a claim tells it",
    value: () => bearer(world.keysToken({ org: undefined })),
    ...invalid("it has no org claim"),
  },
  {
    what: "no name where a claim tells it",
    value: () => bearer(world.keysToken({ email: undefined })),
    ...invalid("it has no email claim"),
  },
  {
    what: "a service account's token for somebody else",
    value: () => bearer(world.robotToken({ sub: "boss@example.com" })),
    ...invalid("its sub is not its iss"),
  },
  {
    what: "a service account's token of two hours",
    value: () => bearer(world.robotToken({ exp: nowSeconds() + 7200 })),
    ...invalid("its exp is more than 3600 s after its iat"),
  },
  {
    what: "a service account's token for another audience",
    value: () => bearer(world.robotToken({ aud: "https://vault.googleapis.com/" })),
    ...invalid("its audience is not this server"),
  },
  {
    what: "a service account's token by another's key",
    value: () =>
      bearer(
        sign(world.keys.published, { iss: ROBOT, sub: ROBOT, iat: nowSeconds(), exp: nowSeconds() + 60 }),
      ),
    ...invalid("its key is not known"),
  },
];

const challenges: Readonly<Record<string, string>> = {
  CREDENTIALS_MISSING: 'Bearer realm="belay"',
  ACCESS_TOKEN_TYPE_UNSUPPORTED: 'Bearer realm="belay"',
  ACCESS_TOKEN_INVALID: 'Bearer realm="belay", error="invalid_token"',
  ACCESS_TOKEN_EXPIRED: 'Bearer realm="belay", error="invalid_token"',
};

function checkRefused(reply: WireReply, { reason, message }: Row, sent: Authorization): void {
  const { error } = reply;
  assert.ok(error, `it was taken: ${JSON.stringify(reply.json)}`);
  assert.deepEqual([error.code, error.reason, error.message, error.domain], [16, reason, message, "belayd"]);
  assert.equal(reply.trailers["www-authenticate"], challenges[reason]);
  if (reply.transport === "rest") {
    assert.equal(reply.httpStatus, 401);
    assert.equal(reply.headers["cache-control"], "no-store");
  }
  const everything = JSON.stringify([reply.text, reply.headers, reply.trailers, error]);
  for (const value of [sent].flat()) {
    const token = value.replace(/^Bearer ?/, "");
    if (token.length > 8) assert.ok(!everything.includes(token), "the token is not repeated");
  }
}

for (const row of rows) {
  test(`${row.what}: 401, code 16, ${row.reason}`, async () => {
    const authorization = await row.value();
    const vault = world.client("vault");
    const yandex = world.client("yandex");
    const name = "operations/opr00000000000000000";
    const replies = [
      await vault.rest("GET", `/v1/${name}`, { authorization }),
      await vault.rest("POST", `/v1/${name}:cancel`, { authorization, body: {} }),
      await yandex.rest("GET", `/${name}:cancel`, { authorization }),
      await vault.grpc(Operations.method.cancelOperation, { name }, { authorization }),
      await yandex.grpc(OperationService.method.cancel, { operationId: "x" }, { authorization }),
    ];
    for (const reply of replies) checkRefused(reply, row, authorization);
  });
}

test("two authorization headers: refused, whichever of them is good, and nothing is cancelled", async () => {
  const good = `Bearer ${staticTokens.all}`;
  for (const authorization of [
    [good, "Bearer another"],
    ["Bearer another", good],
    [good, good],
  ]) {
    const name = await world.start("default");
    const reply = await world.client("default").rest("POST", `/v1/${name}:cancel`, { authorization });
    const problem = "the call has more than one authorization header";
    const row = { what: "", value: () => authorization, ...invalid(problem) };
    checkRefused(reply, row, authorization);
    // grpc-js and node:http2 send one alone, so the frames are written by hand.
    await sendCancelFrames(world.port, name, authorization);
    const { record } = await world.engine.get({ service: "default", tenant: "default", name });
    assert.equal(record.state, "PENDING");
  }
  const name = await world.start("default");
  await sendCancelFrames(world.port, name, [good]);
  const { record } = await world.engine.get({ service: "default", tenant: "default", name });
  assert.equal(record.state, "CANCELLED");
});

test("the whole body of a 401, in both dialects", async () => {
  const headers = { "x-request-id": "req-7" };
  const message = "the call has no credential: send the header authorization: Bearer TOKEN";
  const info = {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    reason: "CREDENTIALS_MISSING",
    domain: "belayd",
  };
  const google = await world.client("vault").rest("GET", "/v1/operations/x", { headers });
  assert.equal(
    google.text,
    JSON.stringify({ error: { code: 401, message, status: "UNAUTHENTICATED", details: [info] } }),
  );
  const yandex = await world.client("yandex").rest("GET", "/operations/x", { headers });
  const requestInfo = { "@type": "type.googleapis.com/google.rpc.RequestInfo", requestId: "req-7" };
  assert.equal(yandex.text, JSON.stringify({ code: 16, message, details: [info, requestInfo] }));
});

test("Api-Key is for static tokens on yandex services alone", async () => {
  const authorization = `Api-Key ${staticTokens.all}`;
  const yandex = await world.client("yandex").rest("GET", "/operations/x", { authorization });
  assert.equal(yandex.error?.reason, "OPERATION_NOT_FOUND");
  const vault = await world.client("vault").rest("GET", "/v1/operations/x", { authorization });
  assert.deepEqual(
    [vault.httpStatus, vault.error?.message],
    [401, "authorization of the kind Api-Key is not supported; send Bearer"],
  );
  const signed = `Api-Key ${await world.fileToken()}`;
  const refused = await world.client("yandex").rest("GET", "/operations/x", { authorization: signed });
  assert.deepEqual(
    [refused.httpStatus, refused.error?.message],
    [401, "the token is refused: the API key is not known here"],
  );
});

for (const parameter of ["access_token", "oauth_token", "bearer_token"]) {
  test(`a token in the query parameter ${parameter} opens nothing, and is refused with a good one beside it`, async () => {
    const target = `/v1/operations?${parameter}=${staticTokens.all}`;
    const alone = await world.client("default").rest("GET", target);
    assert.deepEqual([alone.httpStatus, alone.error?.reason], [401, "CREDENTIALS_MISSING"]);
    const beside = await world.client("default", staticTokens.all).rest("GET", target);
    assert.deepEqual([beside.httpStatus, beside.error?.reason], [400, "INVALID_QUERY_PARAMETER"]);
    assert.ok(!(alone.text + beside.text).includes(staticTokens.all));
  });
}

test("every kind of good credential is taken on both transports", async () => {
  const good: readonly [string, () => Promise<string> | string][] = [
    ["static", () => staticTokens.all],
    ["an issuer's, its key in a file", () => world.fileToken()],
    ["an issuer's, its keys served", () => world.keysToken({ projects: "operations" })],
    ["a service account's own", () => world.robotToken()],
    [
      "a service account's own, with an audience",
      () => world.robotToken({ aud: "https://automl.googleapis.com/" }),
    ],
    ["expired 20 s ago: clocks may differ", () => world.fileToken({ exp: nowSeconds() - 20 })],
  ];
  for (const [what, token] of good) {
    const client = world.client("default", await token());
    const name = "operations/opr00000000000000000";
    const replies = [
      await client.rest("GET", `/v1/${name}`),
      await client.grpc(Operations.method.getOperation, { name }),
    ];
    for (const { error } of replies) assert.equal(error?.reason, "OPERATION_NOT_FOUND", what);
  }
});
