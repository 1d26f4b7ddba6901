// gRPC: grpc-js with its limits set, our methods registered with bytes in and bytes out, and every socket handed in
// by the one-port listener.
import type { Socket } from "node:net";
import {
  type ConnectionInjector,
  type handleUnaryCall,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceError,
} from "@grpc/grpc-js";
import { RpcError } from "../base/rpc-error.ts";
import type { BoundCallable, BoundMethod, BoundStream } from "./bound-method.ts";
import type { ServerLimits } from "./config.ts";
import { ConnectionAges, endOldSessions } from "./connection-ages.ts";
import { GrpcCall } from "./grpc-call.ts";
import { toServiceError } from "./grpc-errors.ts";
import { GrpcStreamCall } from "./grpc-stream.ts";
import type { Guard } from "./guard.ts";
import { explainWithoutGrpc } from "./http2-without-grpc.ts";
import type { OpenStreams } from "./open-streams.ts";
import type { Pipeline } from "./pipeline.ts";
import { keepRepeatedCredentials } from "./repeated-credentials.ts";
import type { FindByAuthority, ServiceRouter } from "./service-router.ts";

export interface GrpcListenerOptions {
  router: ServiceRouter;
  pipeline: Pipeline;
  openStreams: OpenStreams;
  guard: Guard;
  limits: ServerLimits;
}

/** Not `once` of node:events: it rejects when the client resets its connection, which is as good an end as any. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

const identity = (bytes: Buffer): Buffer => bytes;

type DuplexHandler = (call: ServerDuplexStream<Buffer, Buffer>) => void;

export class GrpcListener {
  readonly #server: Server;
  readonly #injector: ConnectionInjector;
  readonly #guard: Guard;
  readonly #metadataBytesMax: number;
  readonly #sockets = new Set<Socket>();

  constructor(options: GrpcListenerOptions) {
    const { limits } = options;
    this.#guard = options.guard;
    this.#metadataBytesMax = limits.headerBytesMax;
    this.#server = new Server({
      "grpc.max_receive_message_length": limits.grpcMessageBytesMax,
      "grpc.max_send_message_length": -1,
      "grpc.max_concurrent_streams": limits.grpcStreamsMax,
      "grpc-node.max_session_memory": limits.grpcSessionMemoryMb,
      "grpc.keepalive_time_ms": limits.grpcKeepaliveMs,
      "grpc.keepalive_timeout_ms": limits.grpcKeepaliveTimeoutMs,
      // Its per-call bookkeeping is for a debugging service that nobody reads here.
      "grpc.enable_channelz": 0,
    });
    const { router, pipeline, openStreams } = options;
    for (const [name, find] of router.grpcMethods()) this.#serve(name, find, pipeline);
    for (const [name, find] of router.grpcStreams()) this.#serveStream(name, find, pipeline, openStreams);
    this.#refuseUnknown();
    explainWithoutGrpc(this.#server);
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    keepRepeatedCredentials(this.#server);
    endOldSessions(this.#server, new ConnectionAges(limits.connectionAgeMaxMs), {
      graceMs: limits.connectionAgeGraceMs,
      onOld: (peer) => openStreams.drainPeer(peer),
    });
  }

  /** Takes over a socket that has sent an HTTP/2 preface. */
  accept(socket: Socket): void {
    if (socket.destroyed) return;
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    this.#injector.injectConnection(socket);
  }

  /** Tells every client to go elsewhere (GOAWAY); resolves when the calls in flight are answered. */
  async drain(): Promise<void> {
    // Its callback comes too early on Node 24: closing the http2 server marks every session closed, and grpc-js takes
    // that for gone. A session closes its socket once its last call is answered, so the sockets tell.
    this.#server.tryShutdown(() => {});
    await Promise.all([...this.#sockets].map(closed));
  }

  /** Cuts what is left. */
  destroy(): void {
    this.#server.forceShutdown();
  }

  #serve(name: string, find: FindByAuthority<BoundMethod>, pipeline: Pipeline): void {
    const handler: handleUnaryCall<Buffer, Buffer> = (call, respond) => {
      let method: BoundMethod;
      try {
        method = this.#admit(call, name, find);
      } catch (error) {
        respond(toServiceError(RpcError.from(error, ""), undefined), null);
        return;
      }
      pipeline.run(new GrpcCall(method, call, respond));
    };
    this.#server.register(`/${name}`, handler, identity, identity, "unary");
  }

  #serveStream(
    name: string,
    find: FindByAuthority<BoundStream>,
    pipeline: Pipeline,
    openStreams: OpenStreams,
  ): void {
    const handler: DuplexHandler = (call) => {
      let method: BoundStream;
      try {
        method = this.#admit(call, name, find);
      } catch (error) {
        call.emit("error", toServiceError(RpcError.from(error, ""), undefined));
        return;
      }
      pipeline.run(new GrpcStreamCall(method, call, openStreams));
    };
    this.#server.register(`/${name}`, handler, identity, identity, "bidi");
  }

  /** The method of a call that may come in. */
  #admit<Method extends BoundCallable>(
    call: Pick<ServerDuplexStream<Buffer, Buffer>, "metadata" | "getHost">,
    name: string,
    find: FindByAuthority<Method>,
  ): Method {
    const authority = call.getHost();
    this.#checkDoor(call.metadata, authority);
    const method = find(authority);
    // Another service has it; the one that the authority names does not.
    if (!method) throw new RpcError("METHOD_NOT_SUPPORTED", { method: `/${name}` });
    return method;
  }

  /**
   * grpc-js answers an unknown method without an ErrorInfo, and with the caller's path unescaped in a header. It has
   * no hook for it, so its (private) look-up is wrapped; should it ever be renamed, its own answer stays.
   */
  #refuseUnknown(): void {
    const lookUp: unknown = Reflect.get(this.#server, "_retrieveHandler");
    if (typeof lookUp !== "function") return;
    const refuse = (path: string): object => {
      const func: DuplexHandler = (call) => {
        let error: ServiceError;
        try {
          this.#checkDoor(call.metadata, call.getHost());
          error = toServiceError(new RpcError("METHOD_NOT_SUPPORTED", { method: path }), undefined);
        } catch (refusal) {
          error = toServiceError(RpcError.from(refusal, ""), undefined);
        }
        call.emit("error", error);
      };
      return { func, serialize: identity, deserialize: identity, type: "bidi", path };
    };
    const known = lookUp.bind(this.#server) as (path: string) => object | null;
    Reflect.set(this.#server, "_retrieveHandler", (path: string) => known(path) ?? refuse(path));
  }

  /** What every gRPC call must pass before anything of it is looked at. */
  #checkDoor(metadata: Metadata, host: string | undefined): void {
    this.#guard.check({
      host,
      origin: textOf(metadata, "origin"),
      secFetchSite: textOf(metadata, "sec-fetch-site"),
    });
    let size = 0;
    const entries = metadata.toJSON();
    for (const key in entries) {
      for (const value of entries[key] ?? []) size += key.length + value.length;
    }
    if (size > this.#metadataBytesMax) {
      throw new RpcError("METADATA_TOO_LARGE", { size, limit: this.#metadataBytesMax });
    }
  }
}

function textOf(metadata: Metadata, key: string): string | undefined {
  const value = metadata.get(key)[0];
  return typeof value === "string" ? value : undefined;
}
