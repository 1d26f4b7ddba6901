// What the whole server makes of its parts: services that do not see each other's operations, callers that are asked who
// they are before anything of their request is looked at. Real sockets, both protocols, a port of its own for one service.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { request as httpRequest } from "node:http";
import { after, before, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { GetOperationRequestSchema } from "../protocol/gen/google/longrunning/operations_pb.ts";
import { defaultService } from "../services/builtin/default.ts";
import { defineService } from "../services/define-service.ts";
import { startTestServer, type TestServer } from "../testing/test-server.ts";
import { defineOperation } from "../worker/worker.ts";
import type { StaticTokenConfig } from "./auth/auth-config.ts";

const READ = "https://alpha.test/read";
const WRITE = "https://alpha.test/write";

const services = [
  defaultService,
  defineService({
    id: "alpha",
    hosts: ["alpha.test"],
    ports: [0],
    parents: ["", "projects/*"],
    types: ["alpha.count", "shared.count"],
    scopes: { get: [READ, WRITE], list: [READ, WRITE], start: [WRITE], cancel: [WRITE] },
    discoveryVersion: "v1",
  }),
  defineService({
    id: "beta",
    hosts: ["beta.test"],
    types: ["beta.put", "shared.count"],
    cancellable: false,
  }),
  defineService({ id: "ocr", dialect: "yandex", hosts: ["ocr.test"], types: ["ocr.read"] }),
];
const types = ["alpha.count", "shared.count", "beta.put", "ocr.read", "free.count"];

/** Callers, by their tokens. */
const callers: Readonly<Record<string, Partial<StaticTokenConfig>>> = {
  "token-of-everything": {},
  "token-of-a-reader": { scopes: [READ] },
  "token-of-another-scope": { scopes: ["https://beta.test/all"] },
  "token-of-project-q": { grants: ["projects/q"] },
  "token-of-globex": { tenant: "globex" },
};

let server: TestServer;
before(async () => {
  server = await startTestServer({
    services,
    parked: types.map((type) => defineOperation({ type }, async () => undefined)),
    auth: {
      issuers: [],
      serviceAccounts: [],
      staticTokens: Object.entries(callers).map(([token, settings]) => ({
        sha256: createHash("sha256").update(token).digest("hex"),
        principal: `user:${token}`,
        tenant: "acme",
        scopes: null,
        grants: null,
        ...settings,
      })),
      iam: null,
      development: false,
    },
  });
});
after(() => server.close());

interface RestOptions {
  /** Default `{service}.test`. */
  host?: string;
  port?: number;
  /** Default the one of everything; null sends none. */
  token?: string | null;
  body?: string;
}

interface RestAnswer {
  status: number;
  json: Record<string, unknown>;
  /** Of its ErrorInfo, in either dialect. */
  reason: string | undefined;
}

async function rest(
  service: string,
  method: string,
  path: string,
  options: RestOptions = {},
): Promise<RestAnswer> {
  const { host = `${service}.test`, port = server.port, token = "token-of-everything", body } = options;
  const headers: Record<string, string> = { host, "x-request-id": "req-1" };
  if (token !== null) headers["authorization"] = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const { promise, resolve, reject } = Promise.withResolvers<RestAnswer>();
  const call = httpRequest({ host: "127.0.0.1", port, method, path, headers, agent: false }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    response.on("end", () => {
      const json = JSON.parse(text) as Record<string, unknown>;
      const { details } = (json["error"] ?? json) as { details?: { reason?: string }[] };
      resolve({ status: response.statusCode ?? 0, json, reason: details?.[0]?.reason });
    });
  });
  call.on("error", reject).end(body);
  return await promise;
}

/** Starts an operation that stays pending; answers its name. */
async function start(service: string, type: string, more: object = {}): Promise<string> {
  const body = JSON.stringify({ type, ...more });
  const { status, json } = await rest(service, "POST", "/belay/v1/operations", { body });
  assert.equal(status, 200, JSON.stringify(json));
  return String(json["name"]);
}

/** A call of google.longrunning.Operations with a name, or with broken bytes; answers the gRPC code. */
async function grpc(
  authority: string,
  rpc: string,
  name: string | null,
  token: string | null,
): Promise<number> {
  const client = new Client(server.address, credentials.createInsecure(), {
    "grpc.default_authority": authority,
  });
  const metadata = new Metadata();
  if (token !== null) metadata.set("authorization", `Bearer ${token}`);
  const bytes =
    name === null
      ? Buffer.of(0xff)
      : toBinary(GetOperationRequestSchema, create(GetOperationRequestSchema, { name }));
  const { promise, resolve } = Promise.withResolvers<number>();
  const path = `/google.longrunning.Operations/${rpc}`;
  const same = (value: Buffer): Buffer => value;
  client.makeUnaryRequest(path, same, same, Buffer.from(bytes), metadata, (error: ServiceError | null) =>
    resolve(error?.code ?? 0),
  );
  const code = await promise;
  client.close();
  return code;
}

test("an operation is found in its own service, and in no other, by the same name", async () => {
  const name = await start("alpha", "alpha.count");
  assert.equal((await rest("alpha", "GET", `/v1/${name}`)).status, 200);
  assert.equal((await rest("beta", "GET", `/v1/${name}`)).reason, "OPERATION_NOT_FOUND");
  assert.equal((await rest("", "GET", `/v1/${name}`, { host: "localhost" })).reason, "OPERATION_NOT_FOUND");
  assert.equal((await rest("ocr", "GET", `/${name}`)).reason, "OPERATION_NOT_FOUND");
  assert.equal((await rest("beta", "GET", `/belay/v1/${name}`)).reason, "OPERATION_NOT_FOUND");
  assert.deepEqual((await rest("beta", "GET", "/v1/operations")).json, {});
  const codes = ["alpha.test", "beta.test", "localhost"].map((authority) =>
    grpc(authority, "GetOperation", name, "token-of-everything"),
  );
  assert.deepEqual(await Promise.all(codes), [0, 5, 5]);
});

test("a port of its own is for one service, whatever Host says", async () => {
  const [port = 0] = server.servicePorts["alpha"] ?? [];
  const own = await start("alpha", "alpha.count");
  const foreign = await start("beta", "beta.put");
  for (const host of ["localhost", "beta.test", "alpha.test"]) {
    assert.equal((await rest("", "GET", `/v1/${own}`, { host, port })).status, 200);
    assert.equal((await rest("", "GET", `/v1/${foreign}`, { host, port })).reason, "OPERATION_NOT_FOUND");
  }
});

test("a service without Cancel says so on every surface, for every name, and cancels nothing", async () => {
  const name = await start("beta", "beta.put");
  for (const one of [name, "operations/absent"]) {
    for (const path of [`/v1/${one}:cancel`, `/belay/v1/${one}:cancel`]) {
      const { status, reason } = await rest("beta", "POST", path);
      assert.deepEqual([status, reason], [501, "CANCEL_NOT_SUPPORTED"], path);
    }
    assert.equal(await grpc("beta.test", "CancelOperation", one, "token-of-everything"), 12);
  }
  assert.equal((await rest("beta", "GET", `/belay/v1/${name}`)).json["state"], "PENDING");
});

test("a type is started where it is declared; one that nobody has declared, in the default service", async () => {
  const refusal = async (service: string, type: string): Promise<string | undefined> => {
    const body = JSON.stringify({ type });
    const { reason } = await rest(service, "POST", "/belay/v1/operations", { body });
    return reason;
  };
  assert.deepEqual(
    [
      await refusal("alpha", "alpha.count"),
      await refusal("beta", "alpha.count"),
      await refusal("default", "alpha.count"),
      await refusal("default", "free.count"),
      await refusal("alpha", "free.count"),
    ],
    [undefined, "OPERATION_TYPE_UNKNOWN", "OPERATION_TYPE_UNKNOWN", undefined, "OPERATION_TYPE_UNKNOWN"],
  );
});

test("a request id is of one service and one tenant: in another it starts an operation of its own", async () => {
  const body = JSON.stringify({ type: "shared.count", requestId: "r-1" });
  const startAs = async (service: string, token: string): Promise<string> => {
    const { status, json } = await rest(service, "POST", "/belay/v1/operations", { body, token });
    assert.equal(status, 200, JSON.stringify(json));
    return String(json["name"]);
  };
  const name = await startAs("alpha", "token-of-everything");
  assert.equal(await startAs("alpha", "token-of-everything"), name);
  assert.notEqual(await startAs("beta", "token-of-everything"), name);
  assert.notEqual(await startAs("alpha", "token-of-globex"), name);
});

test("another tenant sees of an operation what it sees of an absent one", async () => {
  const name = await start("alpha", "alpha.count");
  const answers: string[] = [];
  for (const one of [name, "operations/absent"]) {
    for (const [method, path] of [
      ["GET", `/v1/${one}`],
      ["POST", `/v1/${one}:cancel`],
      ["DELETE", `/v1/${one}`],
      ["GET", `/belay/v1/${one}`],
    ] as const) {
      const answer = await rest("alpha", method, path, { token: "token-of-globex" });
      answers.push(JSON.stringify(answer).replaceAll(one, "NAME"));
    }
  }
  assert.deepEqual(answers.slice(0, 4), answers.slice(4));
  assert.match(String(answers[0]), /"status":404/);
  const list = await rest("alpha", "GET", "/v1/operations?filter=type=alpha.count", {
    token: "token-of-globex",
  });
  assert.deepEqual(list.json, {});
});

/** In this order: who calls, with which scopes, for which names; then the request, its form first. */
const order: readonly [caller: string, token: string | null, status: number, reason: string, code: number][] =
  [
    ["nobody", null, 401, "CREDENTIALS_MISSING", 16],
    ["a token that is not known", "made-up", 401, "ACCESS_TOKEN_INVALID", 16],
    ["a reader", "token-of-a-reader", 403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", 7],
    ["a token of another scope", "token-of-another-scope", 403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", 7],
    ["a caller who may", "token-of-everything", 400, "INVALID_JSON", 3],
  ];

for (const [caller, token, status, reason, code] of order) {
  test(`a cancel that cannot be read, by ${caller}, is ${reason} on REST and ${code} on gRPC`, async () => {
    const answer = await rest("alpha", "POST", "/v1/operations/a:cancel", { token, body: "{" });
    assert.deepEqual([answer.status, answer.reason], [status, reason]);
    assert.equal(await grpc("alpha.test", "CancelOperation", null, token), code);
  });
}

test("a caller without a grant is told so before the body is read, whatever it is", async () => {
  for (const body of [undefined, "{", '{"force":true}']) {
    const options = { token: "token-of-project-q", ...(body !== undefined && { body }) };
    const { status, reason } = await rest("alpha", "POST", "/v1/projects/p/operations/a:cancel", options);
    assert.deepEqual([status, reason], [403, "IAM_PERMISSION_DENIED"], body);
  }
  const { reason } = await rest("alpha", "POST", "/v1/projects/q/operations/a:cancel", {
    token: "token-of-project-q",
  });
  assert.equal(reason, "OPERATION_NOT_FOUND");
});

test("a stream asks who calls, too: reflection is for callers with a token", async () => {
  const client = new Client(server.address, credentials.createInsecure());
  const codeOf = async (token: string | null): Promise<number> => {
    const metadata = new Metadata();
    if (token !== null) metadata.set("authorization", `Bearer ${token}`);
    const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const stream = client.makeBidiStreamRequest(
      path,
      (value: Buffer) => value,
      (value: Buffer) => value,
      metadata,
    );
    const { promise, resolve } = Promise.withResolvers<number>();
    stream
      .on("error", () => {})
      .on("data", () => {})
      .on("status", ({ code }) => resolve(code));
    stream.end();
    return await promise;
  };
  assert.deepEqual(
    [await codeOf(null), await codeOf("made-up"), await codeOf("token-of-globex")],
    [16, 16, 0],
  );
  client.close();
});

test("anybody may call what hands out tokens, tells addresses or health, and nothing else", () => {
  const open = server.server.methods.filter(({ service }) => service.isPublic);
  assert.deepEqual([...new Set(open.map(({ fullName }) => fullName))].sort(), [
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/List",
    "grpc.health.v1.Health/Watch",
    "yandex.cloud.endpoint.ApiEndpointService/Get",
    "yandex.cloud.endpoint.ApiEndpointService/List",
    "yandex.cloud.iam.v1.IamTokenService/Create",
    "yandex.cloud.iam.v1.IamTokenService/Revoke",
  ]);
});

test("the discovery document is the named service's, and its root is where it was asked for", async () => {
  const host = `alpha.test:${server.port}`;
  const path = "/$discovery/rest?version=v1";
  const { json } = await rest("alpha", "GET", path, { host, token: null });
  assert.deepEqual([json["name"], json["rootUrl"]], ["alpha", `http://${host}/`]);
  assert.equal((await rest("beta", "GET", path)).reason, "ROUTE_NOT_FOUND");
});
