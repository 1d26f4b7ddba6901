// Documents that a declared service serves about itself (discovery, OpenAPI): what they are made from, and how a listener
// asks for one. They are made of descriptors and REST rules alone: no engine, no sockets.
import type { DescMethod } from "@bufbuild/protobuf";
import type { MethodKind, ServiceDeclaration } from "./service-declaration.ts";

/** One REST path of a method, in the terms of google.api.HttpRule. */
export interface DocumentedRule {
  /** Upper case. */
  readonly httpMethod: string;
  /** The template: `/v1/{name=operations/**}:cancel`. */
  readonly path: string;
  /** `*`: the whole request; the name of a field; or "": there is no body. */
  readonly body: string;
}

/** A method of the service, and where REST serves it. Methods without REST paths are left out. */
export interface DocumentedMethod {
  readonly desc: DescMethod;
  readonly kind: MethodKind;
  /** Asks for no credential. */
  readonly isPublic: boolean;
  readonly rules: readonly DocumentedRule[];
}

/** What a document is about. */
export interface DocumentedService {
  readonly declaration: ServiceDeclaration;
  readonly methods: readonly DocumentedMethod[];
  /** False: the server asks nobody who they are, and takes no token. */
  readonly hasIdentity: boolean;
}

/** A GET of a document. */
export interface DocumentRequest {
  /** Scheme and host by which the caller came: `https://vault.example.com:8443`. The document's links begin with it. */
  readonly origin: string;
  readonly query: URLSearchParams;
}

export interface DocumentReply {
  readonly contentType: string;
  readonly body: string;
}

/** A path, beside the methods' ones, at which GET and HEAD answer a document. */
export interface DocumentRoute {
  /** Exactly this path, without a query. `$` may also come as `%24` (`findDocument`). */
  readonly path: string;
  /** Throws ROUTE_NOT_FOUND where the query asks for a document that there is not. */
  respond(request: DocumentRequest): DocumentReply;
}

/** The document of a raw request path (still escaped, without its query); undefined if it is none. */
export function findDocument(routes: readonly DocumentRoute[], rawPath: string): DocumentRoute | undefined {
  const path = rawPath.replaceAll("%24", "$");
  return routes.find((route) => route.path === path);
}
