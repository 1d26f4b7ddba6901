// Streaming methods, which only gRPC serves. A unary method is a ServiceMethod (method.ts).
import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { RpcError } from "../base/rpc-error.ts";
import type { ServiceDefinition } from "./method.ts";

/** The server's side of an open stream. */
export interface ResponseStream<Response> {
  send(response: Response): void;
  /** Ends the stream, with OK or with an error. */
  end(error?: RpcError): void;
}

/** What the client does on an open stream. No call comes after `gone`. */
export interface RequestStream<Request> {
  received(request: Request): void;
  /** The client has sent its last request. */
  finished(): void;
  /** The call is over: the client went away, or its deadline passed. */
  gone(): void;
}

export interface StreamMethod<Request extends Message = Message, Response extends Message = Message> {
  readonly desc: DescMethod;
  /** Anybody may call it, without a credential. */
  readonly isPublic?: boolean;
  /** `authority` is the host that the call names, with or without a port. */
  open(responses: ResponseStream<Response>, authority: string | undefined): RequestStream<Request>;
}

/** A service that has streaming methods beside the unary ones. */
export interface StreamingServiceDefinition extends ServiceDefinition {
  readonly streams: readonly StreamMethod[];
}
