// Streaming methods: served on gRPC, and those that only answer on REST as server-sent events. A unary method is a
// ServiceMethod (method.ts).
import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { RpcError } from "../base/rpc-error.ts";
import type { Principal, ServiceDefinition } from "./method.ts";
import type { MethodKind } from "./service-declaration.ts";

/** Who opened a stream, and how. */
export interface StreamContext {
  readonly requestId: string;
  readonly principal: Principal;
  /** The declared service that the call is for. */
  readonly service: string;
  readonly parents?: readonly string[];
  readonly transport: "grpc" | "rest";
  /** The host that the call names, with or without a port. */
  readonly authority: string | undefined;
}

/** The server's side of an open stream. */
export interface ResponseStream<Response> {
  /** False: the client does not read; send no more until `onDrain`, or end the stream. */
  send(response: Response): boolean;
  /** What was sent and not yet taken by the connection. */
  readonly bufferedBytes: number;
  /** Called each time the connection has room again. */
  onDrain(callback: () => void): void;
  /** Ends the stream, with OK or with an error. What was sent before still goes out. */
  end(error?: RpcError): void;
  /** True: no more requests are taken from the connection until it is called with false; a few may still come. */
  holdRequests?(hold: boolean): void;
}

/** What the client does on an open stream. No call comes after `gone`, nor after the stream was ended. */
export interface RequestStream<Request> {
  received(request: Request): void;
  /** The client has sent its last request. */
  finished(): void;
  /** The call is over: the client went away, or its deadline passed. */
  gone(): void;
  /**
   * The server stops: say what is left to say, and end the stream with SHUTTING_DOWN soon. Absent: the server ends it
   * so at once.
   */
  draining?(): void;
}

export interface StreamMethod<Request extends Message = Message, Response extends Message = Message> {
  readonly desc: DescMethod;
  /** What it is for; absent: told by its name. Its scopes are asked for before it is opened. */
  readonly kind?: MethodKind;
  /** Anybody may call it, without a credential. */
  readonly isPublic?: boolean;
  /** A probe of the server's health: no limit refuses it. */
  readonly isProbe?: boolean;
  open(responses: ResponseStream<Response>, context: StreamContext): RequestStream<Request>;
  /** REST: the id of a server-sent event, for `Last-Event-ID`; absent: the method is gRPC only. */
  eventId?(response: Response): string;
}

/** A service that has streaming methods beside the unary ones. */
export interface StreamingServiceDefinition extends ServiceDefinition {
  readonly streams: readonly StreamMethod[];
}
