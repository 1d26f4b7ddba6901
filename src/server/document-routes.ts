// The documents that REST serves beside the methods: discovery and OpenAPI, made when they are first asked for.
import { getOption, hasOption } from "@bufbuild/protobuf";
import { http } from "../protocol/gen/google/api/annotations_pb.ts";
import type { HttpRule as AnnotatedRule } from "../protocol/gen/google/api/http_pb.ts";
import {
  type DocumentedMethod,
  type DocumentedRule,
  type DocumentedService,
  type DocumentRoute,
  findDocument,
} from "../services/documents.ts";
import type { HttpRule } from "../services/http-rule.ts";
import type { BoundCallable } from "./bound-method.ts";
import type { BoundService, ServiceRouter } from "./service-router.ts";

const DOCUMENT_PATH = /^\/(?:\$|%24)discovery\/|^\/discovery\/|^\/openapi\.json(?:\?|$)/;

/** True for a target that only a document can be at. */
export function isDocumentTarget(target: string): boolean {
  return DOCUMENT_PATH.test(target);
}

export class DocumentRoutes {
  readonly #router: ServiceRouter;
  readonly #hasIdentity: boolean;
  readonly #routes = new Map<BoundService, Promise<readonly DocumentRoute[]>>();

  constructor(router: ServiceRouter, hasIdentity: boolean) {
    this.#router = router;
    this.#hasIdentity = hasIdentity;
  }

  /** The document at a path (escaped, without a query) of the service that the authority names. */
  async find(authority: string | undefined, path: string): Promise<DocumentRoute | undefined> {
    const service = this.#router.answering(authority);
    let routes = this.#routes.get(service);
    if (!routes) {
      routes = makeRoutes(service, this.#hasIdentity);
      this.#routes.set(service, routes);
    }
    return findDocument(await routes, path);
  }
}

async function makeRoutes(
  { declaration, methods, streams }: BoundService,
  hasIdentity: boolean,
): Promise<readonly DocumentRoute[]> {
  const [{ createDiscoveryDocument }, { createOpenApiDocument }] = await Promise.all([
    import("../services/discovery/discovery-document.ts"),
    import("../services/openapi/openapi-document.ts"),
  ]);
  const documented = (callables: readonly BoundCallable[]): DocumentedService => ({
    declaration,
    hasIdentity,
    methods: callables.map(documentedMethod).filter(({ rules }) => rules.length > 0),
  });
  const onRest = streams.filter(({ service }) => service.eventId !== undefined);
  // Discovery has no words for a stream of events.
  const discovery = createDiscoveryDocument(documented(methods));
  return [...discovery, createOpenApiDocument(documented([...methods, ...onRest]))];
}

function documentedMethod({ service, kind, httpRules }: BoundCallable): DocumentedMethod {
  const { desc, isPublic = false } = service;
  if (httpRules !== null) return { desc, kind, isPublic, rules: httpRules.flatMap(documentedRule) };
  if (!hasOption(desc, http)) return { desc, kind, isPublic, rules: [] };
  const rule = getOption(desc, http);
  return { desc, kind, isPublic, rules: [rule, ...rule.additionalBindings].flatMap(annotatedRule) };
}

function documentedRule(rule: HttpRule): DocumentedRule[] {
  const body = rule.body ?? "";
  return (["get", "post", "delete"] as const).flatMap((name) => {
    const path = rule[name];
    return path === undefined ? [] : [{ httpMethod: name.toUpperCase(), path, body }];
  });
}

function annotatedRule({ pattern, body }: AnnotatedRule): DocumentedRule[] {
  if (pattern.case === undefined) return [];
  if (pattern.case === "custom") {
    return [{ httpMethod: pattern.value.kind, path: pattern.value.path, body }];
  }
  return [{ httpMethod: pattern.case.toUpperCase(), path: pattern.value, body }];
}
