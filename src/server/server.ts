// The server: composes declared services, interceptors and the two protocol listeners, on one port and on those that
// services have for themselves. `belayd/server` is this file.
import type { DescService } from "@bufbuild/protobuf";
import type { Logger } from "../base/logger.ts";
import type { Measurements } from "../base/measurements.ts";
import type { Engine } from "../engine/engine.ts";
import { defaultService } from "../services/builtin/default.ts";
import { createPayloadCodec } from "../services/declared/payload-codec.ts";
import { checkServices } from "../services/define-service.ts";
import { createReflectionServices } from "../services/reflection/reflection-service.ts";
import type { ServiceDeclaration } from "../services/service-declaration.ts";
import type { StreamingServiceDefinition } from "../services/stream-method.ts";
import { createWorkersService } from "../services/worker/workers-service.ts";
import { createApiEndpointService } from "../services/yandex/api-endpoint-service.ts";
import { createIamTokenService } from "../services/yandex/iam-token-service.ts";
import { type Identity, openIdentity } from "./auth/identity.ts";
import { type BoundCallable, bindMethods, bindStreams } from "./bound-method.ts";
import { defaultLimits, defaultListen, isLoopbackHost, type ServerLimits } from "./config.ts";
import { createGuard } from "./guard.ts";
import { createAuthenticate } from "./interceptors/authenticate.ts";
import { createAuthorize } from "./interceptors/authorize.ts";
import { deadline } from "./interceptors/deadline.ts";
import { Limits } from "./interceptors/limits.ts";
import { createLog } from "./interceptors/log.ts";
import { createMeasure } from "./interceptors/measure.ts";
import { createStoreGate } from "./interceptors/store-gate.ts";
import { MetricsPage } from "./metrics/metrics-page.ts";
import { OpenStreams } from "./open-streams.ts";
import { Pipeline } from "./pipeline.ts";
import type { ListenerParts } from "./protocol-listeners.ts";
import { createReadiness } from "./readiness/readiness.ts";
import type { StoreWatch } from "./readiness/store-watch.ts";
import { ServerPort } from "./server-port.ts";
import { type CatalogEntry, createCatalog, startRulesOf } from "./service-catalog.ts";
import { type BoundService, ServiceRouter } from "./service-router.ts";
import { closeInOrder } from "./shutdown.ts";
import { ServerTls } from "./tls/server-tls.ts";
import type { TlsOptions } from "./tls/tls-options.ts";
import { yandexEndpoints } from "./yandex-endpoints.ts";

export type { AuthConfig } from "./auth/auth-config.ts";
export { createIdentity, type Identity, type IdentityOptions, openIdentity } from "./auth/identity.ts";
export type { ServerLimits } from "./config.ts";

export interface ServerOptions {
  engine: Engine;
  logger: Logger;
  /** Default 127.0.0.1. Without identity only loopback addresses are taken. */
  host?: string;
  /** Default 8080; 0 takes any free port. */
  port?: number;
  /** What is served; the first one answers where no other one is named. Default: the service `default` alone. */
  services?: readonly ServiceDeclaration[];
  /** A certificate for every port; default none: cleartext only. */
  tls?: TlsOptions;
  /** Who may call, of createIdentity; default anybody on this machine. The server closes it. */
  identity?: Identity;
  /** Limits that differ from the defaults (config.ts). */
  limits?: Partial<ServerLimits>;
  /**
   * Reads something small from the store, for readiness; rejects when the store is away. Default: the store is always
   * there, as one is that lives in the process.
   */
  checkStore?: () => Promise<unknown>;
}

/** Where a server listens. */
export interface ServerAddress {
  host: string;
  port: number;
  /** The extra ports of the services that have some, by service id, in the order of their declaration. */
  servicePorts: Readonly<Record<string, readonly number[]>>;
}

export interface BelayServer {
  /** Binds the ports; the first call may come at once. Rejects when one is taken: then none stays bound. */
  listen(): Promise<ServerAddress>;
  /**
   * Not ready from now on, and all else as before: balancers stop sending, while what they still send is answered. REST
   * replies close their connections.
   */
  announceStop(): void;
  /**
   * Stops: not ready, no new connections, held waits answered, calls in flight finished for up to `graceMs`
   * (default 10 s), the rest cut. The engine stays open. Closing twice is fine.
   */
  close(options?: { graceMs?: number }): Promise<void>;
  /** The counters of every method, by its service and full name. */
  readonly methods: readonly BoundCallable[];
}

const GRACE_DEFAULT_MS = 10_000;

/**
 * Makes a server over an engine. Nothing is bound before `listen`.
 * Throws a TypeError for a host that is not a loopback one without identity: nothing could protect it; and for a
 * service that is wrong.
 */
export function createServer(options: ServerOptions): BelayServer {
  const { engine, logger, services: declarations = [defaultService] } = options;
  const identity = options.identity ?? openIdentity({ folder: null, logger });
  const host = options.host ?? defaultListen.host;
  if (!identity.isConfigured && !isLoopbackHost(host)) {
    throw new TypeError(
      `host ${host} is not a loopback address; without identity the server stays on this machine`,
    );
  }
  checkServices(declarations);
  const limits: ServerLimits = { ...defaultLimits, ...options.limits };
  const catalog = createCatalog(engine, declarations, [
    createIamTokenService(identity.iamTokens),
    createApiEndpointService((context) => yandexEndpoints(declarations, context.authority)),
  ]);
  const workers = createWorkers(engine, declarations, logger);
  const { measurements } = engine.metrics;
  const { health, store } = createReadiness({
    serviceNames: [...describedBy(catalog), workers.desc].map((desc) => desc.typeName),
    checkStore: options.checkStore,
    measurements,
    logger,
  });
  const services = bindServices(catalog, [health.definition(), workers]);
  const inFlight = new Limits(limits, { measurements, onFull: () => store.suspect(), queue: engine });
  const openStreams = new OpenStreams();
  const callables = services.flatMap(({ methods, streams }) => [...methods, ...streams]);
  const parts = {
    health,
    metrics: new MetricsPage({ measurements, identity, methods: callables }),
    hasIdentity: identity.isConfigured,
    pipeline: createPipeline({ measurements, logger, identity, store, inFlight }),
    openStreams,
    guard: createGuard({
      allowedHosts: declarations.flatMap(({ hosts }) => hosts),
      requireLoopback: !identity.isConfigured,
    }),
    limits,
    logger,
  };
  const tls = options.tls && new ServerTls(options.tls, logger);
  const port = options.port ?? defaultListen.port;
  const ports = openPorts({ services, parts, host: host.replace(/^\[|\]$/g, ""), port, tls });
  let closing: Promise<void> | undefined;
  return {
    methods: callables,
    async listen() {
      const address = await listenAll(ports);
      ports[0]?.port.listeners.warmUp();
      return address;
    },
    announceStop() {
      health.setProblem("draining", true);
      for (const { port: listener } of ports) listener.listeners.closeAfterReplies();
    },
    close({ graceMs = GRACE_DEFAULT_MS } = {}) {
      closing ??= closeInOrder({
        ports: ports.map(({ port: listener }) => listener),
        health,
        engine,
        inFlight,
        openStreams,
        graceMs,
      }).finally(() => {
        store.close();
        tls?.close();
        return identity.close();
      });
      return closing;
    },
  };
}

/**
 * The order of every call: entered from top to bottom, left from bottom to top. The guard stands before all of them, at the
 * listeners' doors; the request is decoded and validated after them.
 */
function createPipeline(parts: {
  measurements: Measurements;
  logger: Logger;
  identity: Identity;
  store: StoreWatch;
  inFlight: Limits;
}): Pipeline {
  const { measurements, logger, identity, store, inFlight } = parts;
  return new Pipeline([
    createMeasure(measurements),
    createLog(logger),
    createAuthenticate(identity.authenticate),
    createAuthorize({ hasIdentity: identity.isConfigured }),
    deadline,
    createStoreGate(store),
    inFlight,
  ]);
}

/** A port, and the id of the service that it is for; the main port is for all. */
interface OpenPort {
  only: string | null;
  port: ServerPort;
}

/** The main port first, then the services' own. */
function openPorts(options: {
  services: readonly BoundService[];
  parts: Omit<ListenerParts, "router">;
  host: string;
  port: number;
  tls: ServerTls | undefined;
}): OpenPort[] {
  const { services, parts, host, tls } = options;
  const { connectionsMax, peekTimeoutMs } = parts.limits;
  const { logger } = parts;
  const open = (port: number, only: string | null): OpenPort => {
    const router = createRouter(services, only);
    const listener = new ServerPort(
      { host, port, connectionsMax, peekTimeoutMs, tls, logger },
      { ...parts, router },
    );
    return { only, port: listener };
  };
  const own = services.flatMap(({ declaration }) =>
    declaration.ports.map((port) => open(port, declaration.id)),
  );
  return [open(options.port, null), ...own];
}

/** The router of a port. Reflection tells of each port, and of each host, what it serves. */
function createRouter(services: readonly BoundService[], only: string | null): ServiceRouter {
  const reflection = createReflectionServices((authority) => router.describedAt(authority));
  const router: ServiceRouter = new ServiceRouter({
    services: services.map((service) => ({
      ...service,
      streams: [...service.streams, ...bindStreams(service.declaration, reflection)],
    })),
    ...(only !== null && { only }),
  });
  return router;
}

async function listenAll(ports: readonly OpenPort[]): Promise<ServerAddress> {
  const [main, ...own] = ports;
  if (!main) throw new TypeError("a server has at least one port");
  const servicePorts: Record<string, number[]> = {};
  try {
    const { address, port } = await main.port.listen();
    for (const { only, port: listener } of own) {
      const bound = await listener.listen();
      servicePorts[only ?? ""] = [...(servicePorts[only ?? ""] ?? []), bound.port];
    }
    return { host: address, port, servicePorts };
  } catch (error) {
    await Promise.all(ports.map(({ port }) => port.stop()));
    throw error;
  }
}

function createWorkers(
  engine: Engine,
  declarations: readonly ServiceDeclaration[],
  logger: Logger,
): StreamingServiceDefinition {
  const rulesOf = startRulesOf(engine, declarations);
  const rules = new Map(declarations.map((declaration) => [declaration.id, rulesOf(declaration)]));
  return createWorkersService(engine, {
    codec: createPayloadCodec(declarations),
    rulesOf: (service) => rules.get(service),
    logger,
  });
}

function bindServices(
  catalog: readonly CatalogEntry[],
  infrastructure: readonly StreamingServiceDefinition[],
): BoundService[] {
  return catalog.map(({ declaration, definitions }) => ({
    declaration,
    methods: bindMethods(declaration, [...definitions, ...infrastructure]),
    streams: bindStreams(declaration, [...definitions, ...infrastructure]),
  }));
}

function describedBy(catalog: readonly CatalogEntry[]): Set<DescService> {
  return new Set(catalog.flatMap(({ definitions }) => definitions.map(({ desc }) => desc)));
}
