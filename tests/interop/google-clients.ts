// Google's own operations client, as it is published: google-gax 5 and 6, each over gRPC and over REST.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type * as Gax from "google-gax-6";
import type { BelayServer } from "./belay-server.ts";

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
 * The bindings of the service `default` for operations below a parent ("" or a pattern such as `projects/*`), as a
 * generated client brings them from its service's configuration.
 */
function httpRules(parent: string): HttpRules {
  const name = parent === "" ? "{name=operations/**}" : `{name=${parent}/operations/*}`;
  const rule = (method: string, binding: object): object => ({
    selector: `google.longrunning.Operations.${method}`,
    ...binding,
  });
  return [
    rule("ListOperations", {
      get: parent === "" ? "/v1/{name=operations}" : `/v1/{name=${parent}}/operations`,
    }),
    rule("GetOperation", { get: `/v1/${name}` }),
    rule("DeleteOperation", { delete: `/v1/${name}` }),
    rule("CancelOperation", { post: `/v1/${name}:cancel`, body: "*" }),
  ];
}

type HttpRules = NonNullable<Gax.GrpcClientOptions["httpRules"]>;

export interface ClientOptions {
  /** "", or a pattern such as `projects/*`; only REST needs it. */
  parent?: string;
  /** Message types that the client knows beside those of google.longrunning; only REST needs them. */
  knownTypes?: object;
}

function grpcClient({ gax }: GaxVersion, server: BelayServer): Gax.OperationsClient {
  const sslCreds = gax.grpc.credentials.createInsecure();
  return gax.lro({}).operationsClient({ servicePath: server.host, port: server.port, sslCreds });
}

function restClient(
  { gax, protos }: GaxVersion,
  server: BelayServer,
  options: ClientOptions,
): Gax.OperationsClient {
  const protoJson = gax.protobuf.Root.fromJSON(structuredClone(protos) as Gax.protobuf.INamespace);
  if (options.knownTypes)
    protoJson.addJSON(options.knownTypes as Record<string, Gax.protobuf.AnyNestedObject>);
  const authClient = new gax.googleAuthLibrary.PassThroughClient();
  const lroOptions = { fallback: true, protoJson, authClient, httpRules: httpRules(options.parent ?? "") };
  const clientOptions = { servicePath: server.host, port: server.port, protocol: "http", fallback: true };
  return gax.fallback
    .lro(lroOptions as Gax.GrpcClientOptions)
    .operationsClient(clientOptions as Gax.ClientOptions);
}

/** An operations client without credentials, as Google's documents build one for a local endpoint. */
export function operationsClient(
  version: GaxVersion,
  transport: Transport,
  server: BelayServer,
  options: ClientOptions = {},
): Gax.OperationsClient {
  return transport === "grpc" ? grpcClient(version, server) : restClient(version, server, options);
}
