// The world of the identity tests: the built-in services with every kind of credential configured, keys and all, over real
// sockets. Operations that a test only looks at are started past the wire, in any tenant and under any parent.
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { structPayload } from "../../../src/protocol/struct.ts";
import { makeKey, sign, type TestKey } from "../../../src/server/auth/auth.fixture.ts";
import {
  type AuthConfig,
  authDefaults,
  type StaticTokenConfig,
} from "../../../src/server/auth/auth-config.ts";
import { builtinServices } from "../../../src/services/builtin/builtin-services.ts";
import { defineService } from "../../../src/services/define-service.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { startTestServer, type TestServer } from "../../../src/testing/test-server.ts";
import { defineOperation } from "../../../src/worker/worker.ts";
import { WireClient } from "../wire/wire-client.ts";

export const EDISCOVERY = "https://www.googleapis.com/auth/ediscovery";
export const READONLY = "https://www.googleapis.com/auth/ediscovery.readonly";
export const CLOUD = "https://www.googleapis.com/auth/cloud-platform";

export const FILE_ISSUER = "https://file.example.com/";
export const KEYS_ISSUER = "https://keys.example.com/";
export const AUDIENCE = "belay";
export const ROBOT = "robot@project.iam.gserviceaccount.com";
export const IAM_ROBOT = "ajerobot000000000000";
export const OAUTH_TOKEN = "y0_conformance-oauth-token";

/** The tokens that are simply known. */
export const staticTokens = {
  all: "static-everything",
  reader: "static-vault-reader",
  writer: "static-vault-writer",
  cloud: "static-cloud-platform",
  other: "static-other-scope",
  none: "static-without-scopes",
  projectP: "static-project-p-only",
  root: "static-root-only",
  globex: "static-of-globex",
} as const;

function known(token: string, principal: string, more: Partial<StaticTokenConfig> = {}): StaticTokenConfig {
  const sha256 = createHash("sha256").update(token).digest("hex");
  return { sha256, principal, tenant: "default", scopes: null, grants: null, ...more };
}

const known_: readonly StaticTokenConfig[] = [
  known(staticTokens.all, "user:ada"),
  known(staticTokens.reader, "user:reader", { scopes: [READONLY] }),
  known(staticTokens.writer, "user:writer", { scopes: [EDISCOVERY] }),
  known(staticTokens.cloud, "user:cloud", { scopes: [CLOUD] }),
  known(staticTokens.other, "user:other", { scopes: ["https://www.googleapis.com/auth/drive"] }),
  known(staticTokens.none, "user:none", { scopes: [] }),
  known(staticTokens.projectP, "user:pat", { grants: ["projects/p"] }),
  known(staticTokens.root, "user:root", { grants: ["operations"] }),
  known(staticTokens.globex, "user:eve", { tenant: "globex" }),
];

export type ServiceId = "default" | "vault" | "dai" | "automl" | "yandex" | "storage";

export interface IdentityWorld extends TestServer {
  readonly keys: Record<"file" | "published" | "robot" | "iamRobot" | "stranger", TestKey>;
  /** A client of a service, by its name below localhost. */
  client(service: ServiceId, token?: string | null): WireClient;
  /** An operation that nobody runs, started past the wire. */
  start(service: ServiceId, options?: { tenant?: string; parent?: string; type?: string }): Promise<string>;
  /** One that runs until its abort. */
  startRunning(service: ServiceId, parent?: string): Promise<string>;
  /** Waits until it is done. */
  ended(service: ServiceId, name: string): Promise<void>;
  /** A client by any name, with any credential. */
  named(authority: string, authorization: string | null): WireClient;
  /** A token of the issuer whose key is in a file. */
  fileToken(claims?: object, header?: Record<string, unknown>, key?: TestKey): Promise<string>;
  /** A token of the issuer whose keys are served. */
  keysToken(claims?: object, header?: Record<string, unknown>): Promise<string>;
  /** A token that the service account signs. */
  robotToken(claims?: object, header?: Record<string, unknown>): Promise<string>;
}

export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/** Object Storage, which cancels nothing, beside the built-in services. */
const services = [
  ...builtinServices,
  defineService({ id: "storage", dialect: "yandex", hosts: ["storage.localhost"], cancellable: false }),
];

const operations = [
  defineOperation({ type: "test.echo" }, async (_context, input) => input),
  defineOperation({ type: "test.fixed", cancellable: false }, async () => undefined),
  // Runs until its abort.
  defineOperation({ type: "test.hold" }, async ({ signal }) => {
    signal.throwIfAborted();
    const { promise, reject } = Promise.withResolvers<undefined>();
    signal.addEventListener("abort", () => reject(signal.reason));
    return promise;
  }),
];

/** Starts the world; close it, or declare it with `await using`. */
export async function startIdentityWorld(): Promise<IdentityWorld> {
  const folder = mkdtempSync(join(tmpdir(), "belay-identity-"));
  const keys = {
    file: await makeKey("ES256", "file-1"),
    published: await makeKey("RS256", "published-1"),
    robot: await makeKey("RS256", "robot-1"),
    iamRobot: await makeKey("PS256", "iam-1"),
    stranger: await makeKey("ES256", "file-1"),
  };
  const keyServer = createServer((_request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ keys: [keys.published.jwk] }));
  });
  await new Promise<void>((resolve) => keyServer.listen(0, "127.0.0.1", resolve));
  const address = keyServer.address();
  const keysPort = typeof address === "object" ? address?.port : 0;
  const auth = authOf(folder, keys, `http://127.0.0.1:${keysPort}/keys`);
  const parked = [defineOperation({ type: "test.parked" }, async () => undefined)];
  const server = await startTestServer({ services, auth, parked, operations });
  const clients: WireClient[] = [];
  const inAnHour = (): object => ({ iat: nowSeconds() - 10, exp: nowSeconds() + 3000 });
  return {
    ...server,
    keys,
    client(service, token = null) {
      const authority = service === "default" ? null : `${service}.localhost`;
      const authorization = token === null ? null : `Bearer ${token}`;
      const client = new WireClient({ url: server.url, authority }, { authorization });
      clients.push(client);
      return client;
    },
    named(authority, authorization) {
      const client = new WireClient({ url: server.url, authority }, { authorization });
      clients.push(client);
      return client;
    },
    start: (service, options = {}) => startPastTheWire(server, service, options),
    async startRunning(service, parent = "") {
      const name = await startPastTheWire(server, service, { parent, type: "test.hold" });
      const key = { service, tenant: "default", name };
      await eventually("it runs", async () => (await server.engine.get(key)).record.state === "RUNNING");
      return name;
    },
    async ended(service, name) {
      const key = { service, tenant: "default", name };
      await server.engine.wait(key, { timeoutMs: 10_000, onCallerGone: () => {} });
    },
    fileToken: (claims = {}, header = {}, key = keys.file) =>
      sign(key, { iss: FILE_ISSUER, aud: AUDIENCE, sub: "ada", ...inAnHour(), ...claims }, header),
    keysToken: (claims = {}, header = {}) =>
      sign(
        keys.published,
        {
          iss: KEYS_ISSUER,
          aud: AUDIENCE,
          sub: "1",
          email: "bob@example.com",
          org: "default",
          ...inAnHour(),
          ...claims,
        },
        header,
      ),
    robotToken: (claims = {}, header = {}) =>
      sign(keys.robot, { iss: ROBOT, sub: ROBOT, scope: CLOUD, ...inAnHour(), ...claims }, header),
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.close();
      await server.close();
      keyServer.closeAllConnections();
      keyServer.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function authOf(folder: string, keys: IdentityWorld["keys"], jwksUri: string): AuthConfig {
  const pemFile = (key: TestKey): string => {
    const file = join(folder, `${key.kid}.pem`);
    writeFileSync(file, key.pem);
    return file;
  };
  const { algorithms, principalClaim, tenant } = authDefaults;
  const issuer = { audiences: [AUDIENCE], algorithms, principalClaim, tenant, grants: null };
  return {
    issuers: [
      { ...issuer, issuer: FILE_ISSUER, keys: { publicKeyFile: pemFile(keys.file), kid: null } },
      {
        ...issuer,
        issuer: KEYS_ISSUER,
        keys: { jwksUri },
        principalClaim: "email",
        tenant: { claim: "org" },
        grants: { claim: "projects" },
      },
    ],
    serviceAccounts: [
      {
        email: ROBOT,
        keys: [{ kid: keys.robot.kid, publicKeyFile: pemFile(keys.robot) }],
        audiences: ["https://automl.googleapis.com/"],
        tenant: "default",
        grants: null,
      },
    ],
    staticTokens: known_,
    iam: {
      oauthTokens: [
        {
          sha256: createHash("sha256").update(OAUTH_TOKEN).digest("hex"),
          subject: "ajeada00000000000000",
          tenant: "default",
          scopes: null,
          grants: null,
        },
      ],
      serviceAccounts: [
        {
          serviceAccountId: IAM_ROBOT,
          keys: [{ kid: keys.iamRobot.kid, publicKeyFile: pemFile(keys.iamRobot) }],
          tenant: "default",
          grants: null,
        },
      ],
      tokenLifetimeSeconds: 3600,
      hosts: ["api.cloud.yandex.net", "localhost"],
    },
    development: false,
  };
}

async function startPastTheWire(
  { engine }: TestServer,
  service: ServiceId,
  {
    tenant = "default",
    parent = "",
    type = "test.parked",
  }: { tenant?: string; parent?: string; type?: string },
): Promise<string> {
  const { operation } = await engine.start({
    service,
    tenant,
    idPrefix: "opr",
    parent,
    type,
    createdBy: "user:somebody",
    origin: "test",
    description: "",
    labels: {},
    request: structPayload({}),
    metadata: null,
    requestId: "",
    requestDigest: "",
    method: "test",
    deadline: null,
  });
  return operation.record.name;
}
