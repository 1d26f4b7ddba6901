// A service method, free of any transport: the gRPC listener and the REST listener both run these.
import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";

/** Who calls. Without configured identity everybody is `anonymous` in the tenant `default`. */
export interface Principal {
  /** For instance `user:ada` or `anonymous`. */
  id: string;
  tenant: string;
}

/** One call, whatever brought it. */
export interface CallContext {
  readonly requestId: string;
  readonly principal: Principal;
  /** The service (set of operation types) that the host and path address, for instance `default`. */
  readonly service: string;
  readonly transport: "grpc" | "rest";
  /** The caller's deadline on the monotonic clock (monotonicMs), or Infinity. */
  readonly deadlineMs: number;
  /** Calls back once if the caller goes away or the call's deadline passes; not after the call was answered. */
  onCallerGone(callback: () => void): void;
  /** Header (REST) or trailing metadata (gRPC), lower case. */
  setTrailer(name: string, value: string): void;
}

/**
 * A method and its handler. `invoke` gets the decoded request and answers a `Reply`, which the two encoders turn
 * into wire bytes: most methods use protobuf-es (`messageReply`), the hot ones their own encoders.
 */
export interface ServiceMethod<Request extends Message = Message, Reply = unknown> {
  readonly desc: DescMethod;
  invoke(request: Request, context: CallContext): Promise<Reply> | Reply;
  /** The protobuf bytes of the response message. */
  encodeBinary(reply: Reply): Uint8Array;
  /** The ProtoJSON text of the response message. */
  encodeJson(reply: Reply): string;
}

/** A protobuf service with its methods. */
export interface ServiceDefinition {
  readonly desc: DescService;
  readonly methods: readonly ServiceMethod[];
}
