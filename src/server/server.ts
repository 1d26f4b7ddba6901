// The server: composes services, interceptors and the two protocol listeners on one port. `belayd/server` is this file.
import type { DescService } from "@bufbuild/protobuf";
import type { Logger } from "../base/logger.ts";
import type { Engine } from "../engine/engine.ts";
import { createOperationsService } from "../services/google/operations-service.ts";
import { HealthService } from "../services/health/health-service.ts";
import type { ServiceDefinition } from "../services/method.ts";
import {
  createNativeOperationsService,
  createStarterService,
} from "../services/native/operations-service.ts";
import { createReflectionServices } from "../services/reflection/reflection-service.ts";
import type { StreamingServiceDefinition } from "../services/stream-method.ts";
import { type BoundMethod, bindMethods } from "./bound-method.ts";
import { defaultLimits, defaultListen, isLoopbackHost, type ServerLimits } from "./config.ts";
import { createLoopbackGuard } from "./guard.ts";
import { createAuthenticate } from "./interceptors/authenticate.ts";
import { deadline } from "./interceptors/deadline.ts";
import { Limits } from "./interceptors/limits.ts";
import { createLog } from "./interceptors/log.ts";
import { measure } from "./interceptors/measure.ts";
import { OnePortListener } from "./one-port-listener.ts";
import { Pipeline } from "./pipeline.ts";
import { ProtocolListeners } from "./protocol-listeners.ts";
import { anonymous } from "./server-call.ts";
import { closeInOrder } from "./shutdown.ts";

export type { ServerLimits } from "./config.ts";

export interface ServerOptions {
  engine: Engine;
  logger: Logger;
  /** Default 127.0.0.1. Without configured identity only loopback addresses are taken. */
  host?: string;
  /** Default 8080; 0 takes any free port. */
  port?: number;
  /** Limits that differ from the defaults (config.ts). */
  limits?: Partial<ServerLimits>;
}

export interface BelayServer {
  /** Binds the port; the first call may come at once. Rejects when the port is taken. */
  listen(): Promise<{ host: string; port: number }>;
  /**
   * Stops: not ready, no new connections, held waits answered, calls in flight finished for up to `graceMs`
   * (default 10 s), the rest cut. The engine stays open. Closing twice is fine.
   */
  close(options?: { graceMs?: number }): Promise<void>;
  /** The counters of every method, by its full name. */
  readonly methods: readonly BoundMethod[];
}

const GRACE_DEFAULT_MS = 10_000;

/**
 * Makes a server over an engine. Nothing is bound before `listen`.
 * Throws a TypeError for a host that is not a loopback one: there is no identity that could protect it.
 */
export function createServer(options: ServerOptions): BelayServer {
  const { engine, logger } = options;
  const host = options.host ?? defaultListen.host;
  if (!isLoopbackHost(host)) {
    throw new TypeError(
      `host ${host} is not a loopback address; without identity the server stays on this machine`,
    );
  }
  const limits: ServerLimits = { ...defaultLimits, ...options.limits };
  const operations = [
    createOperationsService(engine),
    createNativeOperationsService(engine),
    createStarterService(engine),
  ];
  const health = new HealthService(operations.map((service) => service.desc.typeName));
  const infrastructure = withReflection([health.definition()], operations);
  const methods = bindMethods([...operations, ...infrastructure]);
  const inFlight = new Limits(limits);
  const listeners = new ProtocolListeners({
    methods,
    streams: infrastructure.flatMap((service) => service.streams),
    health,
    // The order of every call: entered from top to bottom, left from bottom to top. The guard stands before all of
    // them, at the listeners' doors; the request is decoded and validated after them.
    pipeline: new Pipeline([
      measure,
      createLog(logger),
      createAuthenticate(() => anonymous),
      deadline,
      inFlight,
    ]),
    guard: createLoopbackGuard(),
    limits,
    logger,
  });
  const port = new OnePortListener({
    host: host.replace(/^\[|\]$/g, ""),
    port: options.port ?? defaultListen.port,
    connectionsMax: limits.connectionsMax,
    peekTimeoutMs: limits.peekTimeoutMs,
    onHttp1: (socket) => listeners.acceptHttp1(socket),
    onHttp2: (socket) => listeners.acceptHttp2(socket),
  });
  let closing: Promise<void> | undefined;
  return {
    methods,
    async listen() {
      const address = await port.listen();
      listeners.warmUp();
      return { host: address.address, port: address.port };
    },
    close({ graceMs = GRACE_DEFAULT_MS } = {}) {
      closing ??= closeInOrder({ port, listeners, health, engine, inFlight, graceMs });
      return closing;
    },
  };
}

/** Reflection describes everything that is served, itself too. */
function withReflection(
  infrastructure: readonly StreamingServiceDefinition[],
  operations: readonly ServiceDefinition[],
): StreamingServiceDefinition[] {
  const described: DescService[] = [...operations, ...infrastructure].map((service) => service.desc);
  return [...infrastructure, ...createReflectionServices(described)];
}
