// Google's clients with a service account's key, over TLS: they sign their tokens themselves, with a scope, and Belay knows
// the account by its public key. No other server is asked for anything.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import tls from "node:tls";
import type { v1beta1 } from "@google-cloud/automl";
import { type BelayServer, serviceOf, startBelay } from "./belay-server.ts";
import { clientVersion } from "./client-version.ts";
import {
  type ClientError,
  type Gax,
  gaxVersions,
  rejection,
  type Transport,
  untilOperationDone,
} from "./google-clients.ts";
import { type GaxiosError, loadGoogle, untilDone, type Vault } from "./googleapis-client.ts";
import { makeCertificate, type TlsFiles } from "./tls-files.ts";

const CANCELLED = 1;
const PERMISSION_DENIED = 7;
const UNAUTHENTICATED = 16;

const email = "trainer@project-1.iam.example";
const kid = "key-1";
const parent = "projects/p1/locations/us-central1";
const scopes = {
  automl: "https://www.googleapis.com/auth/cloud-platform",
  vault: "https://www.googleapis.com/auth/ediscovery",
  vaultRead: "https://www.googleapis.com/auth/ediscovery.readonly",
};

const keyPair = (): { publicKey: string; privateKey: string } =>
  generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });

/** A key file as it is downloaded. */
function keyFile(privateKey: string): object {
  return {
    type: "service_account",
    project_id: "project-1",
    private_key_id: kid,
    private_key: privateKey,
    client_email: email,
    client_id: "1",
    token_uri: "https://oauth2.googleapis.com/token",
  };
}

let files: TlsFiles;
let server: BelayServer;
const known = keyPair();
const stranger = keyPair();
before(async () => {
  files = await makeCertificate();
  const { folder, ca, certFile, keyFile } = files;
  const publicKeyFile = join(folder, "account.pub.pem");
  writeFileSync(publicKeyFile, known.publicKey);
  const auth = { serviceAccounts: [{ email, keys: [{ kid, publicKeyFile }] }] };
  const config = { tls: { certFile, keyFile }, auth };
  server = await startBelay({ servicePorts: ["automl", "vault"], config });
  // What GRPC_DEFAULT_SSL_ROOTS_FILE_PATH and NODE_EXTRA_CA_CERTS are for a process that is not started yet.
  process.env["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = ca;
  tls.setDefaultCACertificates([readFileSync(ca, "utf8")]);
});
after(async () => {
  await server.stop();
  files.remove();
});

type Client = v1beta1.AutoMlClient;

async function automl(transport: Transport, gax: typeof Gax, privateKey: string): Promise<Client> {
  const { v1beta1: api } = await import("@google-cloud/automl");
  const options = {
    apiEndpoint: "localhost",
    port: serviceOf(server, "automl").port,
    credentials: keyFile(privateKey),
    projectId: "project-1",
    ...(transport === "rest" && { fallback: true }),
  };
  return new api.AutoMlClient(options as never, (transport === "rest" ? gax.fallback : gax) as never);
}

const model = { displayName: "hold", datasetId: "ICN1", imageClassificationModelMetadata: {} };

describe(clientVersion("@google-cloud/automl"), () => {
  for (const version of ["gax 5", "gax 6"]) {
    for (const transport of ["grpc", "rest"] satisfies Transport[]) {
      test(`${version} over ${transport} with TLS: the account creates and cancels, and is told apart from a stranger`, async (t) => {
        t.diagnostic(
          `${clientVersion("@google-cloud/automl")}, ${version}, ${transport}, TLS, self-signed token`,
        );
        const gax = (await gaxVersions()).find(({ name }) => name === version)?.gax ?? assert.fail();
        const client = await automl(transport, gax, known.privateKey);
        const [operation] = await client.createModel({ parent, model });
        const name = operation.name ?? assert.fail();
        const pid = await server.heartbeats.working(name);
        const promise = rejection(operation.promise());
        await operation.cancel();
        assert.equal((await promise).code, CANCELLED);
        const read = async (): Promise<{ done?: boolean | null }> => {
          const [found] = (await client.operationsClient.getOperation({ name } as never)) as never as [
            { done?: boolean | null },
          ];
          return found;
        };
        await untilOperationDone(read);
        await server.heartbeats.assertStopped(name, pid);
        await client.close();

        const other = await automl(transport, gax, stranger.privateKey);
        const refused = await rejection(other.createModel({ parent, model }));
        const isBare = version === "gax 5" && transport === "rest";
        assert.equal(Number(refused.code), isBare ? 401 : UNAUTHENTICATED, refused.message);
        await other.close();
      });
    }
  }
});

describe(clientVersion("googleapis"), () => {
  /** The client's own way to sign tokens with a scope, without asking for one. */
  async function vault(privateKey: string, scope: string): Promise<Vault> {
    const google = await loadGoogle();
    const auth = new google.auth.JWT({ email, key: privateKey, keyId: kid, scopes: [scope] });
    auth.useJWTAccessWithScope = true;
    return google.vault({
      version: "v1",
      rootUrl: `https://localhost:${serviceOf(server, "vault").port}/`,
      auth,
    });
  }

  test("vault over TLS: the scope ediscovery starts, reads and cancels", async (t) => {
    t.diagnostic(`${clientVersion("googleapis")}, TLS, self-signed token`);
    const client = await vault(known.privateKey, scopes.vault);
    const { data } = await client.matters.count({ matterId: "m1", requestBody: { view: "ALL" } });
    const pid = await server.heartbeats.working(data.name);
    await client.operations.cancel({ name: data.name });
    const done = await untilDone(client.operations, data.name);
    await server.heartbeats.assertStopped(data.name, pid);
    assert.equal(done.error?.code, CANCELLED);
  });

  test("vault over TLS: ediscovery.readonly reads, and may not cancel", async () => {
    const owner = await vault(known.privateKey, scopes.vault);
    const { data } = await owner.matters.count({ matterId: "m1", requestBody: {} });
    const pid = await server.heartbeats.working(data.name);
    const reader = await vault(known.privateKey, scopes.vaultRead);
    assert.equal((await reader.operations.get({ name: data.name })).data.name, data.name);
    const error = (await rejection(reader.operations.cancel({ name: data.name }))) as ClientError &
      GaxiosError;
    assert.equal(error.status, 403);
    const { status, details } = error.response?.data.error ?? assert.fail();
    assert.deepEqual([status, details[0]?.reason], ["PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"]);
    assert.ok(!(await reader.operations.get({ name: data.name })).data.done);
    await owner.operations.cancel({ name: data.name });
    await untilDone(owner.operations, data.name);
    await server.heartbeats.assertStopped(data.name, pid);
  });

  test("vault over TLS: another API's scope is refused with 403, another's key with 401", async () => {
    const name = "operations/vlt00000000000000000";
    const foreign = await vault(known.privateKey, scopes.automl);
    await assert.rejects(foreign.operations.get({ name }), (error: GaxiosError) => error.status === 403);
    const unknown = await vault(stranger.privateKey, scopes.vault);
    await assert.rejects(unknown.operations.get({ name }), (error: GaxiosError) => error.status === 401);
  });
});

test("a token without the scope gets PERMISSION_DENIED over gRPC", async () => {
  const { v1beta1: api } = await import("@google-cloud/automl");
  const [, { gax } = assert.fail()] = await gaxVersions();
  const authClient = new gax.googleAuthLibrary.JWT({
    email,
    key: known.privateKey,
    keyId: kid,
    scopes: [scopes.vault],
  });
  authClient.useJWTAccessWithScope = true;
  const address = { apiEndpoint: "localhost", port: serviceOf(server, "automl").port };
  const client = new api.AutoMlClient({ ...address, authClient } as never, gax as never);
  const error = await rejection(client.createModel({ parent, model }));
  assert.deepEqual(
    [error.code, error.reason],
    [PERMISSION_DENIED, "ACCESS_TOKEN_SCOPE_INSUFFICIENT"],
    error.message,
  );
  await client.close();
});
