// A server as a user of Yandex Cloud's SDKs needs it: TLS, an OAuth token and a service account that it knows, and in
// front of it a proxy that leads the fixed endpoints of the SDKs to it.
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BelayServer, type Endpoint, serviceOf, startBelay } from "./belay-server.ts";
import { type ConnectProxy, startConnectProxy } from "./connect-proxy.ts";
import { makeCertificate, type TlsFiles } from "./tls-files.ts";

const SERVICE_ACCOUNT_ID = "ajeserviceaccount001";
const KEY_ID = "ajekey00000000000001";
export const OAUTH_SUBJECT = "ajeada00000000000001";

/** As Yandex Cloud hands a key out for its SDKs. */
export interface ServiceAccountKey {
  serviceAccountId: string;
  accessKeyId: string;
  privateKey: string;
}

/** What Get answers, over REST. */
export interface Operation {
  id: string;
  done: boolean;
  createdBy?: string;
  error?: { code: number; message: string };
  response?: object;
}

export interface YandexWorld {
  server: BelayServer;
  /** The port of the service `yandex`. */
  endpoint: Endpoint;
  proxy: ConnectProxy;
  tls: TlsFiles;
  /** The CA, PEM. */
  rootCerts: Buffer;
  oauthToken: string;
  serviceAccount: ServiceAccountKey;
  /** The principal of the service account. */
  serviceAccountId: string;
  /** What leads an SDK here: no code is changed. */
  env: Record<string, string>;
  /** An IAM token, exchanged for the OAuth token. */
  iamToken: string;
  /** Starts an operation and answers its id. */
  start(type?: string, payload?: object): Promise<string>;
  get(id: string): Promise<Operation>;
  untilDone(id: string): Promise<Operation>;
  stop(): Promise<void>;
}

function configuration(
  { folder, certFile, keyFile }: TlsFiles,
  oauthToken: string,
  publicKey: string,
): object {
  const publicKeyFile = join(folder, "service-account.pub.pem");
  writeFileSync(publicKeyFile, publicKey);
  const sha256 = createHash("sha256").update(oauthToken).digest("hex");
  const keys = [{ kid: KEY_ID, publicKeyFile }];
  const iam = {
    oauthTokens: [{ sha256, subject: OAUTH_SUBJECT }],
    serviceAccounts: [{ serviceAccountId: SERVICE_ACCOUNT_ID, keys }],
    // What the SDKs ask for tokens of; a Python SDK with an endpoint of its own asks for localhost.
    hosts: ["api.cloud.yandex.net", "localhost"],
  };
  return { tls: { certFile, keyFile }, auth: { iam } };
}

async function exchange(endpoint: Endpoint, yandexPassportOauthToken: string): Promise<string> {
  const response = await fetch(`${endpoint.url}/iam/v1/tokens`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ yandexPassportOauthToken }),
  });
  const { iamToken } = (await response.json()) as { iamToken?: string };
  if (!iamToken) throw new Error(`the OAuth token was not exchanged: ${response.status}`);
  return iamToken;
}

/** Starts it all. */
export async function startYandexWorld(): Promise<YandexWorld> {
  const tls = await makeCertificate();
  const oauthToken = `y0_${randomBytes(24).toString("hex")}`;
  const keyPair = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const config = configuration(tls, oauthToken, keyPair.publicKey);
  const server = await startBelay({ servicePorts: ["yandex"], config });
  const endpoint = serviceOf(server, "yandex");
  const proxy = await startConnectProxy(server);
  const iamToken = await exchange(endpoint, oauthToken);
  const headers = { authorization: `Bearer ${iamToken}` };
  const get = async (id: string): Promise<Operation> => {
    const response = await fetch(`${endpoint.url}/operations/${id}`, { headers });
    return (await response.json()) as Operation;
  };
  return {
    server,
    endpoint,
    proxy,
    tls,
    rootCerts: readFileSync(tls.ca),
    oauthToken,
    serviceAccount: {
      serviceAccountId: SERVICE_ACCOUNT_ID,
      accessKeyId: KEY_ID,
      privateKey: keyPair.privateKey,
    },
    serviceAccountId: SERVICE_ACCOUNT_ID,
    env: { YC_OAUTH_TOKEN: oauthToken, https_proxy: proxy.url, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: tls.ca },
    iamToken,
    async start(type = "interop.work", payload = {}) {
      const response = await fetch(`${endpoint.url}/belay/v1/operations`, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body: JSON.stringify({ type, payload }),
      });
      const { name } = (await response.json()) as { name?: string };
      if (!name) throw new Error(`start answered ${response.status}`);
      return name.replace(/^operations\//, "");
    },
    get,
    async untilDone(id) {
      const end = performance.now() + 15_000;
      for (;;) {
        const operation = await get(id);
        if (operation.done) return operation;
        if (performance.now() > end) throw new Error(`${id} is not done`);
      }
    },
    async stop() {
      await proxy.stop();
      await server.stop();
      tls.remove();
    },
  };
}
