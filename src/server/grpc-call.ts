// A unary gRPC call: how the pipeline reads and answers it through grpc-js.
import { Metadata, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { MICROS_PER_MS, monotonicMs, wallClockInstant } from "../base/clock.ts";
import type { RpcError } from "../base/rpc-error.ts";
import { decodeRequest } from "../protocol/binary-request.ts";
import type { BoundMethod } from "./bound-method.ts";
import { toServiceError } from "./grpc-errors.ts";
import { acceptRequestId, nextRequestId } from "./request-id.ts";
import { ServerCall } from "./server-call.ts";

/** grpc-js hands us the bytes as they came: decoding is ours, so that broken bytes are INVALID_ARGUMENT. */
export type RawCall = ServerUnaryCall<Buffer, Buffer>;

/** A deadline of grpc-js (wall clock, ms) on the monotonic clock. */
export function monotonicDeadline(deadline: Date | number): number {
  if (deadline === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  return monotonicMs() + Number(deadline) - wallClockInstant() / MICROS_PER_MS;
}

export class GrpcCall extends ServerCall<BoundMethod> {
  readonly transport = "grpc";
  readonly deadlineMs: number;
  readonly #call: RawCall;
  readonly #respond: sendUnaryData<Buffer>;
  #headers: Metadata | undefined;
  #trailers: Metadata | undefined;
  #requestId: string | undefined;
  #peer: string | undefined;

  constructor(method: BoundMethod, call: RawCall, respond: sendUnaryData<Buffer>) {
    super(method);
    this.#call = call;
    this.#respond = respond;
    this.deadlineMs = monotonicDeadline(call.getDeadline());
  }

  get requestId(): string {
    this.#requestId ??= acceptRequestId(this.header("x-request-id")) ?? nextRequestId();
    return this.#requestId;
  }

  get authority(): string | undefined {
    return this.#call.getHost();
  }

  get peer(): string {
    // Kept from the first look: a stream that was reset no longer knows its connection.
    this.#peer ??= this.#call.getPeer();
    return this.#peer;
  }

  get isGone(): boolean {
    return this.#call.cancelled;
  }

  header(name: string): string | undefined {
    const value = this.#call.metadata.get(name)[0];
    return typeof value === "string" ? value : undefined;
  }

  headerValues(name: string): readonly string[] {
    return this.#call.metadata.get(name).filter((value) => typeof value === "string");
  }

  invoke(): unknown {
    const { service } = this.method;
    return service.invoke(decodeRequest(service.desc.input, this.#call.request), this);
  }

  onCallerGone(callback: () => void): void {
    // grpc-js says "cancelled" after every call, answered ones too.
    const notify = (): void => {
      if (!this.isOver) callback();
    };
    if (this.#call.cancelled) notify();
    else this.#call.once("cancelled", notify);
  }

  setHeader(name: string, value: string): void {
    this.#headers ??= new Metadata();
    this.#headers.set(name, value);
  }

  setTrailer(name: string, value: string): void {
    this.#trailers ??= new Metadata();
    this.#trailers.set(name, value);
  }

  answer(reply: unknown): void {
    const bytes = this.method.service.encodeBinary(reply);
    // Only with a good answer: an error after initial metadata is no trailers-only one, and the Yandex SDK then throws
    // an error without a code.
    if (this.#headers) this.#call.sendMetadata(this.#headers);
    const buffer =
      bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#respond(null, buffer, this.#trailers);
  }

  fail(error: RpcError): void {
    // What the server's log knows the call by; REST has it on every reply.
    this.setTrailer("x-request-id", this.requestId);
    this.#respond(toServiceError(error, this.#trailers), null);
  }
}
