// One call on its way through the server, whatever transport brought it. One object a call, no closures: a held Wait
// costs little beyond what its transport costs.
import { monotonicMs } from "../base/clock.ts";
import type { RpcError } from "../base/rpc-error.ts";
import type { CallContext, Principal } from "../services/method.ts";
import type { BoundCallable } from "./bound-method.ts";

/** Everybody, as long as no identity is configured. */
export const anonymous: Principal = { id: "anonymous", tenant: "default", scopes: null, grants: null };

/**
 * The part of a call that does not depend on the transport: grpc-call.ts and rest-call.ts add theirs for unary methods,
 * stream-call.ts and what is made of it for streams.
 */
export abstract class ServerCall<Method extends BoundCallable = BoundCallable> implements CallContext {
  readonly method: Method;
  readonly startMs: number = monotonicMs();
  principal: Principal = anonymous;
  abstract readonly transport: "grpc" | "rest";
  abstract readonly deadlineMs: number;
  /** How many interceptors were entered: as many are left again. */
  entered = 0;
  /** True once an answer was handed to the transport. */
  isOver = false;

  constructor(method: Method) {
    this.method = method;
  }

  /** The id of the declared service that the call is for. */
  get service(): string {
    return this.method.declaration.id;
  }

  /** For the form of names in errors. */
  get parents(): readonly string[] {
    return this.method.declaration.parents;
  }

  abstract get requestId(): string;
  abstract get authority(): string | undefined;

  /** A request header or metadata value, by its lower-case name; undefined when it is absent or not plain text. */
  abstract header(name: string): string | undefined;

  /** Every value of a request header, in their order: two of one that may come once are seen as two. */
  abstract headerValues(name: string): readonly string[];

  /** What tells one client connection from another; for the limits. */
  abstract get peer(): string;

  /** True once the caller went away. */
  abstract get isGone(): boolean;

  /** Decodes the request, invokes the method. Throws RpcError for a request that cannot be decoded. */
  abstract invoke(): unknown;

  abstract onCallerGone(callback: () => void): void;

  abstract setHeader(name: string, value: string): void;
  abstract setTrailer(name: string, value: string): void;

  /** Encodes and sends the reply. */
  abstract answer(reply: unknown): void;

  abstract fail(error: RpcError): void;
}
