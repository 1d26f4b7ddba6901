// Google's own operations client, as it is published: google-gax 5 and 6, each over gRPC and over REST.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type * as Gax from "google-gax-6";
import type { Endpoint } from "./belay-server.ts";

export type { Gax };

/** The module of one version, and what is needed to make clients of it. */
export interface GaxVersion {
  name: string;
  gax: typeof Gax;
  /** The JSON form of its google/longrunning protos. */
  protos: object;
}

export type Transport = "grpc" | "rest";

// Without this the library looks for a cloud's metadata server before its first call.
process.env["METADATA_SERVER_DETECTION"] = "none";

function protosOf(packageName: string): object {
  const path = new URL(`./node_modules/${packageName}/build/protos/operations.json`, import.meta.url);
  return JSON.parse(readFileSync(fileURLToPath(path), "utf8")) as object;
}

/** Both versions. The types of 5 are those of 6 for all that is used here. */
export async function gaxVersions(): Promise<GaxVersion[]> {
  const five = (await import("google-gax-5")) as unknown as typeof Gax;
  const six = await import("google-gax-6");
  return [
    { name: "gax 5", gax: five, protos: protosOf("google-gax-5") },
    { name: "gax 6", gax: six, protos: protosOf("google-gax-6") },
  ];
}

/**
 * The bindings of a service for operations below a parent ("" or a pattern such as `projects/*`), as a generated client
 * brings them from its service's configuration.
 */
function httpRules({ parent = "", prefix = "/v1" }: ClientOptions): HttpRules {
  const name = parent === "" ? "{name=operations/**}" : `{name=${parent}/operations/*}`;
  const rule = (method: string, binding: object): object => ({
    selector: `google.longrunning.Operations.${method}`,
    ...binding,
  });
  return [
    rule("ListOperations", {
      get: parent === "" ? `${prefix}/{name=operations}` : `${prefix}/{name=${parent}}/operations`,
    }),
    rule("GetOperation", { get: `${prefix}/${name}` }),
    rule("DeleteOperation", { delete: `${prefix}/${name}` }),
    rule("CancelOperation", { post: `${prefix}/${name}:cancel`, body: "*" }),
  ];
}

type HttpRules = NonNullable<Gax.GrpcClientOptions["httpRules"]>;

export interface ClientOptions {
  /** "", or a pattern such as `projects/*`; only REST needs it. */
  parent?: string;
  /** In front of its REST paths; default `/v1`. Only REST needs it. */
  prefix?: string;
  /** Message types that the client knows beside those of google.longrunning; only REST needs them. */
  knownTypes?: object;
}

function grpcClient({ gax }: GaxVersion, server: Endpoint): Gax.OperationsClient {
  const sslCreds = gax.grpc.credentials.createInsecure();
  return gax.lro({}).operationsClient({ servicePath: server.host, port: server.port, sslCreds });
}

function restClient(
  { gax, protos }: GaxVersion,
  server: Endpoint,
  options: ClientOptions,
): Gax.OperationsClient {
  const protoJson = gax.protobuf.Root.fromJSON(structuredClone(protos) as Gax.protobuf.INamespace);
  if (options.knownTypes)
    protoJson.addJSON(options.knownTypes as Record<string, Gax.protobuf.AnyNestedObject>);
  const authClient = new gax.googleAuthLibrary.PassThroughClient();
  const lroOptions = { fallback: true, protoJson, authClient, httpRules: httpRules(options) };
  const clientOptions = { servicePath: server.host, port: server.port, protocol: "http", fallback: true };
  return gax.fallback
    .lro(lroOptions as Gax.GrpcClientOptions)
    .operationsClient(clientOptions as Gax.ClientOptions);
}

/** An operations client without credentials, as Google's documents build one for a local endpoint. */
export function operationsClient(
  version: GaxVersion,
  transport: Transport,
  server: Endpoint,
  options: ClientOptions = {},
): Gax.OperationsClient {
  return transport === "grpc" ? grpcClient(version, server) : restClient(version, server, options);
}

/** What the clients reject with. The fields depend on client and transport. */
export interface ClientError extends Error {
  code?: number | string;
  reason?: string;
  domain?: string;
  errorInfoMetadata?: Record<string, string>;
}

/**
 * Asks Get until the operation is done, for up to 15 s. After `operation.cancel()` the promise alone does not tell: cancel
 * aborts the poll in flight, and google-gax may reject the promise with that, code 1 too, while the work still stops.
 */
export async function untilOperationDone<Operation extends { done?: boolean | null }>(
  get: () => Promise<Operation>,
): Promise<Operation> {
  const end = performance.now() + 15_000;
  let operation = await get();
  while (!operation.done) {
    assert.ok(performance.now() < end, "the operation is not done after 15 s");
    operation = await get();
  }
  return operation;
}

/** The error of a call that must fail. */
export async function rejection(promise: Promise<unknown>): Promise<ClientError> {
  try {
    await promise;
  } catch (error) {
    return error as ClientError;
  }
  assert.fail("the call succeeded");
}
