// The discovery document of a service (developers.google.com/discovery/v1/reference/apis), from which googleapis'
// discoverAPI and Python's googleapiclient.discovery.build make their clients. Its links lead to where it was asked for.
import { RpcError } from "../../base/rpc-error.ts";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { startMethodsOf } from "../declared/start-methods.ts";
import { scopeText } from "../document-texts.ts";
import type { DocumentedService, DocumentRequest, DocumentRoute } from "../documents.ts";
import { type DiscoveryEntry, discoveryEntry } from "./discovery-method.ts";
import { DiscoverySchemas } from "./discovery-schemas.ts";

/** The system parameters that are honoured or ignored; those that are refused (tokens, callback) are not offered. */
const systemParameters: JsonObject = {
  "$.xgafv": {
    description: "V1 error format.",
    enum: ["1", "2"],
    enumDescriptions: ["v1 error format", "v2 error format"],
    location: "query",
    type: "string",
  },
  alt: {
    description: "Data format for response.",
    default: "json",
    enum: ["json"],
    enumDescriptions: ["Responses with Content-Type of application/json"],
    location: "query",
    type: "string",
  },
  fields: {
    description: "Selector specifying which fields to include in a partial response.",
    location: "query",
    type: "string",
  },
  key: { description: "API key. It is accepted and changes nothing.", location: "query", type: "string" },
  prettyPrint: {
    description: "Returns response with indentations and line breaks.",
    default: "false",
    location: "query",
    type: "boolean",
  },
  quotaUser: { description: "It is accepted and changes nothing.", location: "query", type: "string" },
};

/** A node of the tree of resources. */
interface Resource {
  methods: Record<string, JsonObject>;
  resources: Map<string, Resource>;
}

/**
 * The routes of a service's discovery document: `/$discovery/rest?version=v1` and
 * `/discovery/v1/apis/{id}/{version}/rest`. None if its declaration has no discoveryVersion.
 */
export function createDiscoveryDocument(service: DocumentedService): DocumentRoute[] {
  const { id, discoveryVersion: version } = service.declaration;
  if (version === null) return [];
  const respond = ({ origin }: DocumentRequest): { contentType: string; body: string } => ({
    contentType: "application/json; charset=utf-8",
    body: JSON.stringify(discoveryDocument(service, origin)),
  });
  return [
    {
      path: "/$discovery/rest",
      respond(request) {
        const asked = request.query.get("version") ?? version;
        if (asked !== version) {
          const path = `/$discovery/rest?version=${asked.slice(0, 64)}`;
          throw new RpcError("ROUTE_NOT_FOUND", { httpMethod: "GET", path });
        }
        return respond(request);
      },
    },
    { path: `/discovery/v1/apis/${id}/${version}/rest`, respond },
  ];
}

/** The document itself. Belay's own surface (belay.v1) is not in it: it is no part of the service's API. */
export function discoveryDocument(service: DocumentedService, origin: string): JsonObject {
  const { declaration } = service;
  const { id, title, documentationLink } = declaration;
  const version = declaration.discoveryVersion ?? "v1";
  const schemas = new DiscoverySchemas();
  const root = resourceTree(service, schemas);
  // Clients take the result of an operation out of an Any: its messages are told, too.
  for (const { response, metadata } of startMethodsOf(declaration)) {
    schemas.reference(response);
    if (metadata) schemas.reference(metadata);
  }
  return {
    kind: "discovery#restDescription",
    discoveryVersion: "v1",
    id: `${id}:${version}`,
    name: id,
    canonicalName: canonicalName(id),
    version,
    version_module: true,
    title,
    description: `${title}, served by Belay.`,
    ownerDomain: new URL(origin).hostname,
    ownerName: "Belay",
    ...(documentationLink && { documentationLink }),
    protocol: "rest",
    rootUrl: `${origin}/`,
    servicePath: "",
    baseUrl: `${origin}/`,
    basePath: "",
    batchPath: "batch",
    fullyEncodeReservedExpansion: true,
    ...authOf(service),
    parameters: systemParameters,
    schemas: schemas.toJson(),
    ...treeJson(root, id),
  };
}

function resourceTree({ declaration, methods }: DocumentedService, schemas: DiscoverySchemas): Resource {
  const root: Resource = { methods: {}, resources: new Map() };
  for (const method of methods) {
    if (method.desc.parent.typeName.startsWith("belay.v1.")) continue;
    for (const rule of method.rules) place(root, discoveryEntry(method, rule, declaration, schemas));
  }
  return root;
}

/** Two rules of one method may lead to the same resource (any number of parents): the first one stands for both. */
function place(root: Resource, { resources, name, fullName, method }: DiscoveryEntry): void {
  let resource = root;
  for (const step of resources) {
    const next: Resource = resource.resources.get(step) ?? { methods: {}, resources: new Map() };
    resource.resources.set(step, next);
    resource = next;
  }
  const taken = resource.methods[name];
  if (taken === undefined) resource.methods[name] = method;
  else if (taken["description"] !== method["description"]) resource.methods[fullName] ??= method;
}

/** The tree as JSON; the id of each method is its path in it: `vault.operations.cancel`. */
function treeJson({ methods, resources }: Resource, path: string): JsonObject {
  const entries = Object.entries(methods).map(([name, method]) => [
    name,
    { id: `${path}.${name}`, ...method },
  ]);
  const children = [...resources].map(([name, child]) => [name, treeJson(child, `${path}.${name}`)]);
  return {
    ...(entries.length > 0 && { methods: Object.fromEntries(entries) }),
    ...(children.length > 0 && { resources: Object.fromEntries(children) }),
  };
}

function authOf({ declaration }: DocumentedService): JsonObject {
  const scopes = [...new Set(Object.values(declaration.scopes).flat())].sort();
  if (scopes.length === 0) return {};
  const described = scopes.map((scope) => [scope, { description: scopeText(scope) }]);
  return { auth: { oauth2: { scopes: Object.fromEntries(described) } } };
}

/** `vault` is `Vault`, `video-ingest` is `Video Ingest`: generators name their classes so. */
function canonicalName(id: string): string {
  return id
    .split("-")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join(" ");
}
