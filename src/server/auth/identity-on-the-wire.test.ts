// Identity as callers meet it: over real sockets, gRPC and REST, with status, headers, body and the order of answers.
// Vault's declaration with methods that find nothing, and the IAM token service beside them.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { request as httpRequest } from "node:http";
import { after, before, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { Measurements } from "../../base/measurements.ts";
import { RpcError } from "../../base/rpc-error.ts";
import {
  type GetOperationRequest,
  GetOperationRequestSchema,
  Operations,
} from "../../protocol/gen/google/longrunning/operations_pb.ts";
import { operationKeyOf } from "../../services/access.ts";
import { vaultService } from "../../services/builtin/vault.ts";
import { yandexService } from "../../services/builtin/yandex.ts";
import { HealthService } from "../../services/health/health-service.ts";
import type { ServiceMethod } from "../../services/method.ts";
import type { MethodKind } from "../../services/service-declaration.ts";
import { createIamTokenService } from "../../services/yandex/iam-token-service.ts";
import { bindMethods } from "../bound-method.ts";
import { defaultLimits } from "../config.ts";
import { createGuard } from "../guard.ts";
import { createAuthenticate } from "../interceptors/authenticate.ts";
import { createAuthorize } from "../interceptors/authorize.ts";
import { createLog } from "../interceptors/log.ts";
import { createMeasure } from "../interceptors/measure.ts";
import { MetricsPage } from "../metrics/metrics-page.ts";
import { OpenStreams } from "../open-streams.ts";
import { Pipeline } from "../pipeline.ts";
import { ServerPort } from "../server-port.ts";
import { ServiceRouter } from "../service-router.ts";
import { authConfig, keptLog } from "./auth.fixture.ts";
import type { StaticTokenConfig } from "./auth-config.ts";
import { createAuthenticator } from "./authenticator.ts";

const EDISCOVERY = "https://www.googleapis.com/auth/ediscovery";
const OAUTH_TOKEN = "y0_oauth-token-of-ada";
const hash = (token: string): string => createHash("sha256").update(token).digest("hex");
const holder = (token: string, settings: Partial<StaticTokenConfig>): StaticTokenConfig => ({
  sha256: hash(token),
  principal: `user:of-${token.length}`,
  tenant: "default",
  scopes: null,
  grants: null,
  ...settings,
});

const log = keptLog();
const identity = createAuthenticator(
  authConfig({
    staticTokens: [
      holder("everything-token", {}),
      holder("reader-token-here", { scopes: [`${EDISCOVERY}.readonly`] }),
      holder("other-scope-token", { scopes: ["https://www.googleapis.com/auth/drive"] }),
      holder("of-project-q-only", { scopes: [EDISCOVERY], grants: ["projects/q"] }),
    ],
    iam: {
      oauthTokens: [
        { sha256: hash(OAUTH_TOKEN), subject: "aje-ada", tenant: "default", scopes: null, grants: null },
      ],
      serviceAccounts: [],
      tokenLifetimeSeconds: 3600,
      hosts: [],
    },
  }),
  { folder: null, logger: log.logger },
);

/** A method on names that finds nothing, as those of the engine do for whoever may look. */
function findsNothing(
  desc: ServiceMethod["desc"],
  kind: MethodKind,
): ServiceMethod<GetOperationRequest, never> {
  return {
    desc,
    kind,
    invoke({ name }, context) {
      operationKeyOf(name, kind, context);
      throw new RpcError("OPERATION_NOT_FOUND", { name });
    },
    encodeBinary: (reply) => reply,
    encodeJson: (reply) => reply,
  };
}

const measurements = new Measurements();
const port = new ServerPort(
  { host: "127.0.0.1", port: 0, connectionsMax: 100, peekTimeoutMs: 5000 },
  {
    router: new ServiceRouter({
      services: [
        {
          declaration: vaultService,
          methods: bindMethods(vaultService, [
            {
              desc: Operations,
              methods: [
                findsNothing(Operations.method.getOperation, "get"),
                findsNothing(Operations.method.cancelOperation, "cancel"),
              ] as unknown as ServiceMethod[],
            },
          ]),
          streams: [],
        },
        {
          declaration: yandexService,
          methods: bindMethods(yandexService, [createIamTokenService(identity.iamTokens)]),
          streams: [],
        },
      ],
    }),
    hasIdentity: true,
    metrics: new MetricsPage({ measurements, identity, methods: [] }),
    openStreams: new OpenStreams(),
    health: new HealthService([]),
    pipeline: new Pipeline([
      createMeasure(measurements),
      createLog(log.logger),
      createAuthenticate(identity.authenticate),
      createAuthorize({ hasIdentity: true }),
    ]),
    guard: createGuard({ allowedHosts: [], requireLoopback: false }),
    limits: defaultLimits,
    logger: log.logger,
  },
);

let address: { port: number };
let client: Client;

before(async () => {
  address = await port.listen();
  client = new Client(`127.0.0.1:${address.port}`, credentials.createInsecure());
});

after(async () => {
  client.close();
  port.destroyConnections();
  await Promise.all([port.stop(), identity.close()]);
});

interface HttpAnswer {
  status: number;
  challenge: string | undefined;
  cacheControl: string | undefined;
  text: string;
}

async function rest(
  method: string,
  path: string,
  authorization: string | string[] | undefined,
  options: { body?: string; host?: string } = {},
): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const headers: Record<string, string | string[]> = { host: options.host ?? "localhost" };
  if (authorization !== undefined) headers["authorization"] = authorization;
  if (options.body !== undefined) headers["content-type"] = "application/json";
  const request = httpRequest({ port: address.port, method, path, headers }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    response.on("end", () =>
      resolve({
        status: response.statusCode ?? 0,
        challenge: response.headers["www-authenticate"],
        cacheControl: response.headers["cache-control"],
        text,
      }),
    );
  });
  request.on("error", reject).end(options.body);
  return await promise;
}

async function grpc(rpc: string, name: string, authorization: string[]): Promise<ServiceError> {
  const metadata = new Metadata();
  for (const value of authorization) metadata.add("authorization", value);
  const { promise, resolve } = Promise.withResolvers<ServiceError>();
  client.makeUnaryRequest(
    `/google.longrunning.Operations/${rpc}`,
    (bytes: Uint8Array) => Buffer.from(bytes),
    (bytes: Buffer) => bytes,
    toBinary(GetOperationRequestSchema, create(GetOperationRequestSchema, { name })),
    metadata,
    {},
    (error) => resolve(error as ServiceError),
  );
  return await promise;
}

const challenge = 'Bearer realm="belay"';
const invalidToken = `${challenge}, error="invalid_token"`;
const insufficient = (scopes: string): string =>
  `${challenge}, error="insufficient_scope", scope="${scopes}"`;

interface Row {
  title: string;
  authorization: string[];
  name: string;
  cancel?: true;
  status: number;
  code: number;
  reason: string;
  challenge?: string;
}

/** The order: who calls, with which scopes, for which names; then the form of the name, and only then what is there. */
const rows: Row[] = [
  {
    title: "no credential comes before a malformed name",
    authorization: [],
    name: "operations/A!",
    status: 401,
    code: 16,
    reason: "CREDENTIALS_MISSING",
    challenge,
  },
  {
    title: "an unknown token",
    authorization: ["Bearer unknown"],
    name: "operations/a",
    status: 401,
    code: 16,
    reason: "ACCESS_TOKEN_INVALID",
    challenge: invalidToken,
  },
  {
    title: "another kind of credential",
    authorization: ["Basic dTpw"],
    name: "operations/a",
    status: 401,
    code: 16,
    reason: "ACCESS_TOKEN_TYPE_UNSUPPORTED",
    challenge,
  },
  {
    title: "a token without the scope comes before a malformed name",
    authorization: ["Bearer other-scope-token"],
    name: "operations/A!",
    status: 403,
    code: 7,
    reason: "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
    challenge: insufficient(`${EDISCOVERY} ${EDISCOVERY}.readonly`),
  },
  {
    title: "a reader's cancel",
    authorization: ["Bearer reader-token-here"],
    name: "operations/a",
    cancel: true,
    status: 403,
    code: 7,
    reason: "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
    challenge: insufficient(EDISCOVERY),
  },
  {
    title: "a parent without a grant comes before a malformed name",
    authorization: ["Bearer of-project-q-only"],
    name: "operations/A!",
    status: 403,
    code: 7,
    reason: "IAM_PERMISSION_DENIED",
  },
  {
    title: "a reader's get of what is not there",
    authorization: ["Bearer reader-token-here"],
    name: "operations/a",
    status: 404,
    code: 5,
    reason: "OPERATION_NOT_FOUND",
  },
  {
    title: "a token that is not limited",
    authorization: ["Bearer everything-token"],
    name: "operations/a",
    cancel: true,
    status: 404,
    code: 5,
    reason: "OPERATION_NOT_FOUND",
  },
];

for (const row of rows) {
  test(`REST and gRPC: ${row.title}: ${row.reason}`, async () => {
    const [method, verb, rpc] = row.cancel
      ? ["POST", ":cancel", "CancelOperation"]
      : ["GET", "", "GetOperation"];
    const answer = await rest(method!, `/v1/${row.name}${verb}`, row.authorization[0], {
      host: "vault.localhost",
    });
    const { error } = JSON.parse(answer.text) as {
      error: { code: number; details: { reason: string }[] };
    };
    assert.deepEqual(
      [answer.status, error.code, error.details[0]?.reason, answer.challenge, answer.cacheControl],
      [row.status, row.status, row.reason, row.challenge, "no-store"],
    );
    const failure = await grpc(rpc!, row.name, row.authorization);
    assert.equal(failure.code, row.code);
    assert.equal(failure.metadata.get("www-authenticate")[0], row.challenge);
    assert.ok(failure.metadata.get("grpc-status-details-bin")[0]?.includes(row.reason));
  });
}

test("two authorization headers are refused, equal ones too", async () => {
  const answer = await rest("GET", "/v1/operations/a", [
    "Bearer everything-token",
    "Bearer everything-token",
  ]);
  assert.equal(answer.status, 401);
  assert.match(answer.text, /the call has more than one authorization header/);
});

test("a token in the query is refused, and opens nothing", async () => {
  for (const parameter of ["access_token", "oauth_token", "bearer_token"]) {
    const answer = await rest("GET", `/v1/operations/a?${parameter}=everything-token`, undefined);
    assert.equal(answer.status, 401);
    assert.ok(!answer.text.includes("everything-token"));
    const known = await rest(
      "GET",
      `/v1/operations/a?${parameter}=everything-token`,
      "Bearer reader-token-here",
    );
    assert.equal(known.status, 400);
    assert.ok(!known.text.includes("everything-token"));
  }
});

test("a caller without a grant sees the same bytes for what is there, what is not, and what is no name", async () => {
  const denied = async (name: string): Promise<string> => {
    const answer = await rest("GET", `/v1/operations/${name}`, "Bearer of-project-q-only");
    return `${answer.status} ${answer.challenge} ${answer.text.replaceAll(name, "NAME")}`;
  };
  const [first, ...others] = await Promise.all(["opr0mh1k2j3c4v5b6n7q8", "absent", "X-Y"].map(denied));
  assert.match(
    first!,
    /^403 undefined .*Permission 'operations\.get' denied on resource 'operations\/NAME'/s,
  );
  for (const other of others) assert.equal(other, first);
});

const iamHost = { host: "yandex.localhost" };

test("IAM tokens are made and revoked without an authorization header, and by a wrong one too", async () => {
  for (const authorization of [undefined, "Bearer unknown"]) {
    const body = JSON.stringify({ yandexPassportOauthToken: OAUTH_TOKEN });
    const made = await rest("POST", "/iam/v1/tokens", authorization, { ...iamHost, body });
    assert.equal(made.status, 200);
    const { iamToken, expiresAt } = JSON.parse(made.text) as { iamToken: string; expiresAt: string };
    assert.match(expiresAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const found = await rest("GET", "/v1/operations/a", `Bearer ${iamToken}`);
    assert.equal(found.status, 404);
    const revoked = await rest("POST", "/iam/v1/tokens:revoke", authorization, {
      ...iamHost,
      body: JSON.stringify({ iamToken }),
    });
    assert.deepEqual([revoked.status, revoked.text], [200, '{"subjectId":"aje-ada"}']);
    const refused = await rest("GET", "/v1/operations/a", `Bearer ${iamToken}`);
    assert.deepEqual([refused.status, refused.challenge], [401, invalidToken]);
    assert.match(refused.text, /it was revoked/);
  }
});

test("an unknown OAuth token is refused in the form of the dialect, with the challenge", async () => {
  const body = JSON.stringify({ yandexPassportOauthToken: "y0_unknown" });
  const {
    status,
    challenge: asked,
    text,
  } = await rest("POST", "/iam/v1/tokens", undefined, { ...iamHost, body });
  const { code, message } = JSON.parse(text) as { code: number; message: string };
  assert.deepEqual(
    [status, asked, code, message],
    [401, invalidToken, 16, "the token is refused: the OAuth token is not known here"],
  );
});

test("CreateForServiceAccount asks who calls before it says that it does not exist", async () => {
  const body = JSON.stringify({ serviceAccountId: "aje1" });
  const path = "/iam/v1/tokens:createForServiceAccount";
  assert.equal((await rest("POST", path, undefined, { ...iamHost, body })).status, 401);
  assert.equal((await rest("POST", path, "Bearer everything-token", { ...iamHost, body })).status, 501);
  assert.equal((await rest("POST", path, "Api-Key everything-token", { ...iamHost, body })).status, 501);
});

test("no token is in the log, at any level", () => {
  const text = log.lines.join("");
  assert.match(text, /"principal":"user:of-16"/);
  for (const secret of ["Bearer", "everything-token", OAUTH_TOKEN, "eyJ"])
    assert.ok(!text.includes(secret), secret);
});
