// grpc.health.v1.Health: whether the server, and each of its services, takes calls. Open to everybody, cheap, and never
// refused by a limit: what asks takes the server out of its balancer.
import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { RpcError } from "../../base/rpc-error.ts";
import { startInterval, type Timer } from "../../base/timers.ts";
import {
  Health,
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  type HealthListRequest,
  type HealthListResponse,
  HealthListResponseSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../protocol/gen/grpc/health/v1/health_pb.ts";
import type { ServiceMethod } from "../method.ts";
import type {
  RequestStream,
  ResponseStream,
  StreamingServiceDefinition,
  StreamMethod,
} from "../stream-method.ts";

/** Why a server takes no calls: it stops, or its store does not answer. */
export type HealthProblem = "draining" | "store";

/** While somebody watches, the store is asked this often. */
const WATCH_PERIOD_MS = 1000;

/** The server's health. All services of a server share its fate: they have one store, and they stop together. */
export class HealthService {
  readonly #problems = new Set<HealthProblem>();
  readonly #services: ReadonlySet<string>;
  readonly #freshen: () => Promise<void> | undefined;
  readonly #watches = new Set<ResponseStream<HealthCheckResponse>>();
  #watchTimer: Timer | null = null;

  /**
   * `services` are the full names that may be asked for, beside "" for the whole server. `freshen` makes sure that what was
   * told by `setProblem` is not old; undefined where it is not. It never rejects.
   */
  constructor(services: readonly string[], freshen: () => Promise<void> | undefined = () => undefined) {
    this.#services = new Set(["", ...services]);
    this.#freshen = freshen;
  }

  get isServing(): boolean {
    return this.#problems.size === 0;
  }

  get problems(): readonly HealthProblem[] {
    return [...this.#problems];
  }

  /** Makes sure that `isServing` is not older than a second; undefined where it is not. */
  freshen(): Promise<void> | undefined {
    return this.#freshen();
  }

  /** Tells every watch. */
  setProblem(problem: HealthProblem, isThere: boolean): void {
    const wasServing = this.isServing;
    if (isThere) this.#problems.add(problem);
    else this.#problems.delete(problem);
    if (this.isServing === wasServing) return;
    for (const watch of this.#watches) watch.send(this.#response());
  }

  /** Ends the open watches, so that the server can close; clients watch again elsewhere. */
  endWatches(): void {
    for (const watch of this.#watches) watch.end(new RpcError("SHUTTING_DOWN"));
    this.#watches.clear();
    this.#watchSettled();
  }

  definition(): StreamingServiceDefinition {
    return {
      desc: Health,
      methods: [this.#check(), this.#list()] as readonly ServiceMethod[],
      streams: [this.#watch()],
    };
  }

  #response(): HealthCheckResponse {
    const status = this.isServing ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
    return create(HealthCheckResponseSchema, { status });
  }

  #freshResponse(): HealthCheckResponse | Promise<HealthCheckResponse> {
    const pending = this.#freshen();
    return pending === undefined ? this.#response() : pending.then(() => this.#response());
  }

  /** Who watches asks nothing more: the store is asked for them, as long as there are some. */
  #watchSettled(): void {
    if (this.#watches.size > 0) {
      this.#watchTimer ??= startInterval(WATCH_PERIOD_MS, () => void this.#freshen(), { unref: true });
      return;
    }
    this.#watchTimer?.cancel();
    this.#watchTimer = null;
  }

  #check(): ServiceMethod<HealthCheckRequest, HealthCheckResponse> {
    return {
      desc: Health.method.check,
      isPublic: true,
      isProbe: true,
      invoke: ({ service }) => {
        if (!this.#services.has(service)) throw new RpcError("HEALTH_SERVICE_UNKNOWN", { service });
        return this.#freshResponse();
      },
      encodeBinary: (reply) => toBinary(HealthCheckResponseSchema, reply),
      encodeJson: (reply) => toJsonString(HealthCheckResponseSchema, reply),
    };
  }

  #list(): ServiceMethod<HealthListRequest, HealthListResponse> {
    return {
      desc: Health.method.list,
      isPublic: true,
      isProbe: true,
      invoke: async () => {
        await this.#freshen();
        const statuses = Object.fromEntries([...this.#services].map((name) => [name, this.#response()]));
        return create(HealthListResponseSchema, { statuses });
      },
      encodeBinary: (reply) => toBinary(HealthListResponseSchema, reply),
      encodeJson: (reply) => toJsonString(HealthListResponseSchema, reply),
    };
  }

  #watch(): StreamMethod {
    return {
      desc: Health.method.watch,
      isPublic: true,
      isProbe: true,
      open: (responses): RequestStream<HealthCheckRequest> => ({
        received: ({ service }) => {
          if (this.#services.has(service)) {
            this.#watches.add(responses);
            responses.send(this.#response());
            this.#watchSettled();
          } else {
            // The stream stays open: the service may become known. Ours never change, so nothing more comes.
            responses.send(create(HealthCheckResponseSchema, { status: ServingStatus.SERVICE_UNKNOWN }));
          }
        },
        finished: () => {
          // Half-closed after the one request: that is how a server stream begins.
        },
        gone: () => {
          this.#watches.delete(responses);
          this.#watchSettled();
        },
      }),
    } as StreamMethod;
  }
}
