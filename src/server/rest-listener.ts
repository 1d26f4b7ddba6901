// REST: fastify on HTTP/1.1 with one route for everything. Our transcoder alone reads the target; fastify never sees
// it, so its router's own ideas of paths do not matter.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import type { Logger } from "../base/logger.ts";
import { RpcError } from "../base/rpc-error.ts";
import type { HealthService } from "../services/health/health-service.ts";
import { effectiveHttpMethod } from "../transcoding/method-override.ts";
import { resolveAbsoluteTarget } from "./absolute-target.ts";
import { isBoundStream } from "./bound-method.ts";
import type { ServerLimits } from "./config.ts";
import { ConnectionAges } from "./connection-ages.ts";
import { DocumentRoutes, isDocumentTarget } from "./document-routes.ts";
import { type Guard, purposeOf } from "./guard.ts";
import { checkHostHeader } from "./http-host.ts";
import { isMetricsTarget, METRICS_PATH, type MetricsPage } from "./metrics/metrics-page.ts";
import type { OpenStreams } from "./open-streams.ts";
import type { Pipeline } from "./pipeline.ts";
import { acceptRequestId, nextRequestId } from "./request-id.ts";
import { RestCall } from "./rest-call.ts";
import { answerClientError, commonHeaders, readThrown, replyTo } from "./rest-errors.ts";
import { RestStreamCall } from "./rest-stream.ts";
import type { ServiceRouter } from "./service-router.ts";

export interface RestListenerOptions {
  router: ServiceRouter;
  /** Callers are asked who they are. */
  hasIdentity: boolean;
  health: HealthService;
  metrics: MetricsPage;
  pipeline: Pipeline;
  openStreams: OpenStreams;
  guard: Guard;
  limits: ServerLimits;
  logger: Logger;
}

/** How often node:http looks for requests that are too slow. */
const TIMEOUT_CHECK_MS = 1000;

export class RestListener {
  readonly #server: Server;
  readonly #health: HealthService;
  readonly #metrics: MetricsPage;
  readonly #pipeline: Pipeline;
  readonly #streams: OpenStreams;
  readonly #guard: Guard;
  readonly #limits: ServerLimits;
  readonly #logger: Logger;
  readonly #router: ServiceRouter;
  readonly #documents: DocumentRoutes;
  readonly #ages: ConnectionAges;
  readonly #inFlight = new Set<ServerResponse>();
  #isDraining = false;
  #onIdle: (() => void) | undefined;

  static async create(options: RestListenerOptions): Promise<RestListener> {
    const server = createHttpServer(options.limits);
    const listener = new RestListener(options, server);
    const app = createApp(listener, server, options.limits);
    await app.ready();
    // The server never listens itself: without this event node:http does not start its timeouts.
    server.emit("listening");
    return listener;
  }

  private constructor(options: RestListenerOptions, server: Server) {
    this.#server = server;
    this.#health = options.health;
    this.#metrics = options.metrics;
    this.#pipeline = options.pipeline;
    this.#streams = options.openStreams;
    this.#guard = options.guard;
    this.#limits = options.limits;
    this.#logger = options.logger;
    this.#router = options.router;
    this.#ages = new ConnectionAges(options.limits.connectionAgeMaxMs);
    this.#documents = new DocumentRoutes(options.router, options.hasIdentity);
  }

  /** Takes over a socket that has sent the beginning of an HTTP/1.1 request. */
  accept(socket: Socket): void {
    if (socket.destroyed) return;
    // The next reply ends the connection; a stream has none, and ends by itself.
    this.#ages.watch(socket, socket, (peer) => this.#streams.drainPeer(peer));
    this.#server.emit("connection", socket);
  }

  /** From now on every reply closes its connection. */
  closeAfterReplies(): void {
    this.#isDraining = true;
    for (const response of this.#inFlight) response.shouldKeepAlive = false;
  }

  /** Closes idle connections; resolves when no call is in flight. */
  async drain(): Promise<void> {
    this.#server.closeIdleConnections();
    if (this.#inFlight.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#server.close();
  }

  /** Cuts what is left. */
  destroy(): void {
    this.#server.closeAllConnections();
  }

  /** What is checked before the body is read. */
  open(request: FastifyRequest, reply: FastifyReply): void {
    const { raw } = reply;
    this.#inFlight.add(raw);
    raw.once("close", () => this.#left(raw));
    if (this.#isDraining || this.#ages.isOver(request.raw.socket)) raw.shouldKeepAlive = false;
    reply.headers(commonHeaders).header("x-request-id", request.id);
    checkHostHeader(request.raw);
    resolveAbsoluteTarget(request.raw, isTls(request));
    // Old balancers probe with HTTP/1.0; browsers always send Host.
    if (request.headers.host === undefined && isHealthTarget(request.originalUrl)) return;
    this.#guard.check({
      host: request.headers.host,
      origin: request.headers.origin,
      secFetchSite: headerOf(request, "sec-fetch-site"),
      secPurpose: purposeOf(request.headers),
      isTls: isTls(request),
    });
  }

  /** Answers a request whose body, if any, has arrived. */
  handle(request: FastifyRequest, reply: FastifyReply): void {
    const target = request.originalUrl;
    if (isHealthTarget(target)) {
      void this.#answerHealth(target, request, reply);
      return;
    }
    if (isMetricsTarget(target)) {
      void this.#answerMetrics(request, reply);
      return;
    }
    if (isDocumentTarget(target)) {
      void this.#answerDocument(target, request, reply);
      return;
    }
    const httpMethod = effectiveHttpMethod(request.method, headerOf(request, "x-http-method-override"));
    const transcoder = this.#router.transcoder(request.headers.host);
    const match = transcoder.match(httpMethod, target);
    const bodyBytesMax = this.#limits.restBodyBytesMax;
    const { value } = match;
    const parts = { transcoder, request, reply, bodyBytesMax };
    // Spread out: only so does the compiler see that the match is of the one or of the other form.
    if (isBoundStream(value)) {
      this.#pipeline.run(new RestStreamCall({ ...parts, match: { ...match, value } }, this.#streams));
    } else {
      this.#pipeline.run(new RestCall({ ...parts, match: { ...match, value } }));
    }
  }

  /** Answers what was thrown before a call was made of the request. */
  refuse(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const { id } = request;
    const contentType = headerOf(request, "content-type");
    const bodyBytesMax = this.#limits.restBodyBytesMax;
    const { error, httpStatus } = readThrown(thrown, { id, contentType, bodyBytesMax });
    if (error.isInternal)
      this.#logger.error({ requestId: id, err: error.cause }, "a request failed inside the server");
    // Who writes such requests, a proxy perhaps, may see their borders elsewhere than we do.
    if (error.reason === "MALFORMED_HTTP") reply.raw.shouldKeepAlive = false;
    const answer = replyTo(error, this.#router.dialectOf(request.headers.host), id, httpStatus);
    reply.code(answer.httpStatus).headers(answer.headers).send(answer.body);
  }

  /** /healthz: the process answers. /readyz: it takes calls, too, and its store answers. */
  async #answerHealth(path: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    try {
      checkReading(request.method, path);
      if (path === "/readyz") await this.#health.freshen();
      const problems = path === "/readyz" ? this.#health.problems : [];
      const isWell = problems.length === 0;
      reply
        .code(isWell ? 200 : 503)
        .header("content-type", "application/json; charset=utf-8")
        .send(JSON.stringify(isWell ? { status: "SERVING" } : { status: "NOT_SERVING", problems }));
    } catch (error) {
      this.refuse(error, request, reply);
    }
  }

  async #answerMetrics(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    try {
      checkReading(request.method, METRICS_PATH);
      const { authorization = [] } = request.raw.headersDistinct;
      const { contentType, body } = await this.#metrics.respond(authorization);
      reply.header("content-type", contentType).send(body);
    } catch (error) {
      this.refuse(error, request, reply);
    }
  }

  async #answerDocument(target: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    try {
      const { host } = request.headers;
      const mark = target.indexOf("?");
      const path = mark === -1 ? target : target.slice(0, mark);
      const document = await this.#documents.find(host, path);
      if (!document) throw new RpcError("ROUTE_NOT_FOUND", { httpMethod: request.method, path });
      checkReading(request.method, path);
      const query = new URLSearchParams(mark === -1 ? "" : target.slice(mark + 1));
      const origin = `${isTls(request) ? "https" : "http"}://${host ?? ""}`;
      const { contentType, body } = document.respond({ origin, query });
      reply.header("content-type", contentType).send(body);
    } catch (error) {
      this.refuse(error, request, reply);
    }
  }

  #left(response: ServerResponse): void {
    this.#inFlight.delete(response);
    if (this.#inFlight.size === 0) this.#onIdle?.();
  }
}

function isHealthTarget(target: string | undefined): target is "/healthz" | "/readyz" {
  return target === "/healthz" || target === "/readyz";
}

/** For what is only read. */
function checkReading(httpMethod: string, path: string): void {
  if (httpMethod === "GET" || httpMethod === "HEAD") return;
  throw new RpcError("METHOD_NOT_ALLOWED", { httpMethod, path, allowed: "GET, HEAD" });
}

function isTls(request: FastifyRequest): boolean {
  return "encrypted" in request.raw.socket;
}

function createHttpServer(limits: ServerLimits): Server {
  return createServer({
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    // checkHostHeader asks for it, and answers with a body of ours.
    requireHostHeader: false,
  });
}

function noSchema(): never {
  throw new TypeError("no route of Belay has a schema");
}

function createApp(listener: RestListener, server: Server, limits: ServerLimits): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: limits.restBodyBytesMax,
    genReqId: ({ headers }) => acceptRequestId(onlyText(headers["x-request-id"])) ?? nextRequestId(),
    exposeHeadRoutes: false,
    // No route has a schema: without these, ajv and fast-json-stringify are loaded for nothing.
    schemaController: {
      compilersFactory: { buildValidator: () => noSchema, buildSerializer: () => noSchema },
    },
    clientErrorHandler: (error, socket) => answerClientError(error, socket),
    // Everything is one route; `originalUrl` keeps the target.
    rewriteUrl: () => "/",
    serverFactory: (handler) => {
      server.on("request", handler as (request: IncomingMessage) => void);
      return server;
    },
  });
  // Else the body of a GET is dropped unread, and one that a method refuses would pass: GET may cancel on yandex.
  app.addHttpMethod("GET", { hasBody: true, overrideExisting: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.addHook("onRequest", (request, reply, done) => {
    listener.open(request, reply);
    done();
  });
  app.setErrorHandler((thrown, request, reply) => listener.refuse(thrown, request, reply));
  // HTTP methods that fastify has no route for.
  app.setNotFoundHandler((request, reply) => listener.handle(request, reply));
  app.all("/", (request, reply) => listener.handle(request, reply));
  return app;
}

/** A header that may come once; several of it are as good as none. */
function headerOf(request: FastifyRequest, name: string): string | undefined {
  return onlyText(request.headers[name]);
}

function onlyText(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
