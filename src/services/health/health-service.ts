// grpc.health.v1.Health: whether the server, and each of its services, takes calls. Open to everybody.
import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { RpcError } from "../../base/rpc-error.ts";
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

/** The server's health. All services of a server share its fate: they stop together. */
export class HealthService {
  #isServing = true;
  readonly #services: ReadonlySet<string>;
  readonly #watches = new Set<ResponseStream<HealthCheckResponse>>();

  /** `services` are the full names that may be asked for, beside "" for the whole server. */
  constructor(services: readonly string[]) {
    this.#services = new Set(["", ...services]);
  }

  get isServing(): boolean {
    return this.#isServing;
  }

  /** Tells every watch. */
  setServing(isServing: boolean): void {
    if (isServing === this.#isServing) return;
    this.#isServing = isServing;
    for (const watch of this.#watches) watch.send(this.#response());
  }

  /** Ends the open watches, so that the server can close; clients watch again elsewhere. */
  endWatches(): void {
    for (const watch of this.#watches) watch.end(new RpcError("SHUTTING_DOWN"));
    this.#watches.clear();
  }

  definition(): StreamingServiceDefinition {
    return {
      desc: Health,
      methods: [this.#check(), this.#list()] as readonly ServiceMethod[],
      streams: [this.#watch()],
    };
  }

  #response(): HealthCheckResponse {
    const status = this.#isServing ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
    return create(HealthCheckResponseSchema, { status });
  }

  #check(): ServiceMethod<HealthCheckRequest, HealthCheckResponse> {
    return {
      desc: Health.method.check,
      isPublic: true,
      invoke: ({ service }) => {
        if (!this.#services.has(service)) throw new RpcError("HEALTH_SERVICE_UNKNOWN", { service });
        return this.#response();
      },
      encodeBinary: (reply) => toBinary(HealthCheckResponseSchema, reply),
      encodeJson: (reply) => toJsonString(HealthCheckResponseSchema, reply),
    };
  }

  #list(): ServiceMethod<HealthListRequest, HealthListResponse> {
    return {
      desc: Health.method.list,
      isPublic: true,
      invoke: () => {
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
      open: (responses): RequestStream<HealthCheckRequest> => ({
        received: ({ service }) => {
          if (this.#services.has(service)) {
            this.#watches.add(responses);
            responses.send(this.#response());
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
        },
      }),
    } as StreamMethod;
  }
}
