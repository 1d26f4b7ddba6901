// The two protocols behind the port, each loaded when it is first needed: importing grpc-js or fastify costs up to
// 100 ms, and the first answer should not wait for the protocol that it does not use. Loading REST earlier, beside the
// opening of the store, is 60 ms faster to the first answer and costs 8 MB for good: V8 grows its heap for the burst.
import type { Socket } from "node:net";
import type { Logger } from "../base/logger.ts";
import type { HealthService } from "../services/health/health-service.ts";
import type { ServerLimits } from "./config.ts";
import type { GrpcListener } from "./grpc-listener.ts";
import type { Guard } from "./guard.ts";
import type { MetricsPage } from "./metrics/metrics-page.ts";
import type { OpenStreams } from "./open-streams.ts";
import type { Pipeline } from "./pipeline.ts";
import type { RestListener } from "./rest-listener.ts";
import type { ServiceRouter } from "./service-router.ts";

/** What both listeners are made of. */
export interface ListenerParts {
  /** Finds the methods of this port's services. */
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

/** What a protocol does with its sockets. */
interface ProtocolListener {
  accept(socket: Socket): void;
  /** Tells clients, with the replies they still get, that the connection ends. */
  closeAfterReplies?(): void;
  /** Resolves when the calls in flight are answered. */
  drain(): Promise<void>;
  destroy(): void;
}

/** A listener that is made on first use. */
class LazyListener<Listener extends ProtocolListener> {
  readonly #load: () => Promise<Listener>;
  #loading: Promise<Listener> | undefined;
  #listener: Listener | undefined;

  constructor(load: () => Promise<Listener>) {
    this.#load = load;
  }

  async load(): Promise<Listener> {
    this.#loading ??= this.#load();
    this.#listener = await this.#loading;
    return this.#listener;
  }

  accept(socket: Socket, onFailure: (error: unknown) => void): void {
    if (this.#listener) {
      this.#listener.accept(socket);
      return;
    }
    this.load().then(
      (listener) => listener.accept(socket),
      (error: unknown) => {
        socket.destroy();
        onFailure(error);
      },
    );
  }

  closeAfterReplies(): void {
    this.#listener?.closeAfterReplies?.();
  }

  async drain(): Promise<void> {
    // A listener that is still loading has no calls; its sockets are cut with the port.
    await this.#listener?.drain();
  }

  destroy(): void {
    this.#listener?.destroy();
  }
}

export class ProtocolListeners {
  readonly #rest: LazyListener<RestListener>;
  readonly #grpc: LazyListener<GrpcListener>;
  readonly #logger: Logger;

  constructor(parts: ListenerParts) {
    this.#logger = parts.logger;
    this.#rest = new LazyListener(async () => {
      const { RestListener } = await import("./rest-listener.ts");
      return await RestListener.create(parts);
    });
    this.#grpc = new LazyListener(async () => {
      const { GrpcListener } = await import("./grpc-listener.ts");
      return new GrpcListener(parts);
    });
  }

  acceptHttp1(socket: Socket): void {
    this.#rest.accept(socket, (error) => this.#failed("REST", error));
  }

  acceptHttp2(socket: Socket): void {
    this.#grpc.accept(socket, (error) => this.#failed("gRPC", error));
  }

  /**
   * Loads REST, which every start is asked for first. gRPC stays until its first connection: its 17 MB and 100 ms are
   * paid by the servers that use it.
   */
  warmUp(): void {
    this.#rest.load().catch((error: unknown) => this.#failed("REST", error));
  }

  /** From now on replies end their connections, where the protocol can say so. */
  closeAfterReplies(): void {
    this.#rest.closeAfterReplies();
    this.#grpc.closeAfterReplies();
  }

  /** Resolves when no call is in flight any more. */
  async drain(): Promise<void> {
    await Promise.all([this.#rest.drain(), this.#grpc.drain()]);
  }

  destroy(): void {
    this.#rest.destroy();
    this.#grpc.destroy();
  }

  #failed(protocol: string, error: unknown): void {
    this.#logger.error({ err: error }, `the ${protocol} listener could not be loaded`);
  }
}
