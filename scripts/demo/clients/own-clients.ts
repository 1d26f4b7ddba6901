// The systems' own clients, where their packages are installed for the interop tests, and Belay's own command.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { sampleFor } from "../../../tests/interop/sample-run.ts";
import { belayCommand, outputOf } from "../belay-command.ts";
import { tourEnvironment } from "../tour-server.ts";
import type { Client, FinalOperation } from "./client.ts";
import { ClientProcess } from "./client-process.ts";

const run = promisify(execFile);
const interop = fileURLToPath(new URL("../../../tests/interop/", import.meta.url));

const SHOWN_MAX = 120;

/** For instance `googleapis 188.0.0`; null if the package is not installed for the interop tests. */
export function installedVersion(name: string): string | null {
  const manifest = join(interop, "node_modules", name, "package.json");
  if (!existsSync(manifest)) return null;
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  return `${name} ${version}`;
}

interface Options {
  version: string;
  signal: AbortSignal;
}

/** `googleapis` against Vault's own port. */
export function createVaultClient(options: Options & { port: number; request: object }): Client {
  const { version, signal, port, request } = options;
  const env = tourEnvironment();
  const client = new ClientProcess({
    program: "vault-googleapis.ts",
    settings: { port, request },
    env,
    signal,
  });
  return {
    name: version,
    async start() {
      const operation = await client.ask<string>("start");
      return {
        did: 'google.vault("v1").matters.count({ matterId: "m1", ... })',
        answer: operation,
        operation,
      };
    },
    async cancel(operation) {
      const { status, verdict, data } = await client.ask<{ status: number; verdict: string; data: object }>(
        "cancel",
        operation,
      );
      return {
        did: `vault.operations.cancel({ name: "${operation}" })`,
        answer: `${status} ${JSON.stringify(data)}, verdict ${verdict}`,
      };
    },
    get: (operation) => client.ask<FinalOperation>("get", operation),
    close: () => client.close(),
  };
}

/** `@google-cloud/automl` over gRPC against AutoML's own port. */
export function createAutomlClient(
  options: Options & { port: number; parent: string; model: object },
): Client {
  const { version, signal, port, parent, model } = options;
  // Without this the library looks for a cloud's metadata server before its first call.
  const env = tourEnvironment({ METADATA_SERVER_DETECTION: "none" });
  const client = new ClientProcess({
    program: "automl-gax.ts",
    settings: { port, parent, model },
    env,
    signal,
  });
  return {
    name: `${version} over gRPC`,
    async start() {
      const operation = await client.ask<string>("start");
      return { did: "client.createModel({ parent, model })", answer: operation, operation };
    },
    async cancel() {
      return { did: "operation.cancel()", answer: await client.ask<string>("cancel") };
    },
    get: (operation) => client.ask<FinalOperation>("get", operation),
    close: () => client.close(),
  };
}

/** `@yandex-cloud/nodejs-sdk`, led here by the environment alone; it cancels by the sample of its page, as it is. */
export function createYandexClient(
  options: Options & { requestFile: string; proxyUrl: string; ca: string; folder: string },
): Client {
  const { version, signal, requestFile, proxyUrl, ca, folder } = options;
  const env = tourEnvironment({
    YC_OAUTH_TOKEN: "any-token",
    https_proxy: proxyUrl,
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: ca,
    LOG_LEVEL: "ERROR",
  });
  const client = new ClientProcess({ program: "yandex-sdk.ts", settings: { requestFile }, env, signal });
  return {
    name: `${version} over gRPC and TLS, to ocr. and operation.api.cloud.yandex.net`,
    async start() {
      const operation = await client.ask<string>("start");
      return { did: "TextRecognitionAsyncServiceClient.recognize(...)", answer: operation, operation };
    },
    async cancel(operation) {
      const sample = prepareSample(folder, operation);
      const { stdout } = await run(process.execPath, [sample], { env, signal });
      return {
        did: `the TypeScript sample of the page, with this id in place of "operationId"`,
        answer: `it printed ${printedOperation(stdout)}`,
      };
    },
    get: (operation) => client.ask<FinalOperation>("get", operation),
    close: () => client.close(),
  };
}

/** The page's sample as its reader has it: in a folder of its own, with the SDK installed. */
function prepareSample(folder: string, operation: string): string {
  const installed = join(folder, "node_modules/@yandex-cloud/nodejs-sdk");
  mkdirSync(dirname(installed), { recursive: true });
  if (!existsSync(installed)) symlinkSync(join(interop, "node_modules/@yandex-cloud/nodejs-sdk"), installed);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
  const file = join(folder, "cancel-operation.ts");
  writeFileSync(file, sampleFor("cancel-operation.ts.txt", operation));
  return file;
}

/** The `belay` command against the main port. */
export function createCommandClient(
  options: Options & { root: string; port: number; type: string; payload: object },
): Client {
  const { version, signal, root, port, type, payload } = options;
  const command = belayCommand({ root, port, signal });
  const belay = (args: readonly string[]): Promise<string> => outputOf(command(args));
  const reason = "the tour goes on";
  return {
    name: version,
    async start() {
      const json = JSON.stringify(payload);
      const operation = await belay(["start", type, "--payload", json]);
      return { did: `belay start ${type} --payload '${json}'`, answer: operation, operation };
    },
    async cancel(operation) {
      const output = await belay(["cancel", operation, "--reason", reason]);
      return { did: `belay cancel ${operation} --reason "${reason}"`, answer: output.replace(/^\S+ /, "") };
    },
    async get(operation) {
      const response = await fetch(`http://127.0.0.1:${port}/v1/${operation}`, { signal });
      return (await response.json()) as FinalOperation;
    },
    close() {},
  };
}

/** The fields that the page's sample prints and that say how far the operation is. */
function printedOperation(output: string): string {
  const fields = [/\bid: '[^']*'/, /\bdone: \w+/].map((field) => field.exec(output)?.[0]);
  return fields.every((field) => field !== undefined)
    ? `an Operation with ${fields.join(", ")}`
    : JSON.stringify(output.slice(0, SHOWN_MAX));
}
