// A streaming method on a grpc-js stream. A server stream is served as a two-way one: on the wire they are alike.
import { type Message, toBinary } from "@bufbuild/protobuf";
import { Metadata, type ServerDuplexStream } from "@grpc/grpc-js";
import type { RpcError } from "../base/rpc-error.ts";
import { decodeRequest } from "../protocol/binary-request.ts";
import type { BoundStream } from "./bound-method.ts";
import { monotonicDeadline } from "./grpc-call.ts";
import { toServiceError } from "./grpc-errors.ts";
import type { OpenStreams } from "./open-streams.ts";
import { acceptRequestId, nextRequestId } from "./request-id.ts";
import { StreamCall } from "./stream-call.ts";

/** grpc-js hands us the bytes as they came: decoding is ours. */
export type RawStream = ServerDuplexStream<Buffer, Buffer>;

export class GrpcStreamCall extends StreamCall {
  readonly transport = "grpc";
  readonly deadlineMs: number;
  readonly #call: RawStream;
  readonly #trailers = new Metadata();
  #requestId: string | undefined;
  #peer: string | undefined;
  #isHeld = false;

  constructor(method: BoundStream, call: RawStream, streams: OpenStreams) {
    super(method, streams);
    this.#call = call;
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

  invoke(): Promise<void> {
    const ended = this.open();
    const call = this.#call;
    const { input } = this.method.service.desc;
    call.on("cancelled", () => this.leave());
    // A stream with an error has its end; grpc-js takes the error from this event, too.
    call.on("data", (bytes: Buffer) => this.take(() => decodeRequest(input, bytes)));
    call.on("end", () => this.takeEnd());
    // A client that does not read what it asked for is not read from either, so nothing piles up.
    this.outlet.onRoom(() => this.#flow());
    if (call.cancelled) this.leave();
    return ended;
  }

  override send(response: Message): boolean {
    const hasRoom = super.send(response);
    if (!hasRoom) this.#flow();
    return hasRoom;
  }

  holdRequests(hold: boolean): void {
    this.#isHeld = hold;
    this.#flow();
  }

  #flow(): void {
    if (this.#isHeld || this.outlet.isFull) this.#call.pause();
    else this.#call.resume();
  }

  protected encode(response: Message): Uint8Array {
    return toBinary(this.method.service.desc.output, response);
  }

  protected write(bytes: Uint8Array, taken: () => void): void {
    this.#call.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), taken);
  }

  onCallerGone(callback: () => void): void {
    const notify = (): void => {
      if (!this.isOver) callback();
    };
    if (this.#call.cancelled) notify();
    else this.#call.once("cancelled", notify);
  }

  setHeader(name: string, value: string): void {
    this.setTrailer(name, value);
  }

  setTrailer(name: string, value: string): void {
    this.#trailers.set(name, value);
  }

  answer(): void {
    this.#call.end();
  }

  fail(error: RpcError): void {
    this.setTrailer("x-request-id", this.requestId);
    this.#call.emit("error", toServiceError(error, this.#trailers));
  }
}
