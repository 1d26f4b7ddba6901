// A stream on its way through the server: one call for the interceptors, from its opening to its end. What the transport
// makes of it is in grpc-stream.ts and rest-stream.ts.
import type { Message } from "@bufbuild/protobuf";
import { RpcError } from "../base/rpc-error.ts";
import type { RequestStream, ResponseStream } from "../services/stream-method.ts";
import type { BoundStream } from "./bound-method.ts";
import type { OpenStream, OpenStreams } from "./open-streams.ts";
import { ServerCall } from "./server-call.ts";
import { StreamOutlet } from "./stream-outlet.ts";

/**
 * The pipeline runs it like any call: `invoke` opens the method and answers a promise that settles when the stream ends,
 * by OK or by an error, from either side.
 */
export abstract class StreamCall
  extends ServerCall<BoundStream>
  implements ResponseStream<Message>, OpenStream
{
  protected readonly outlet: StreamOutlet;
  readonly #streams: OpenStreams;
  readonly #end = Promise.withResolvers<void>();
  #requests: RequestStream<Message> | undefined;
  #hasEnded = false;

  constructor(method: BoundStream, streams: OpenStreams) {
    super(method);
    this.#streams = streams;
    this.outlet = new StreamOutlet((bytes, taken) => this.write(bytes, taken));
  }

  /** The bytes of a response as they go over the connection. */
  protected abstract encode(response: Message): Uint8Array;

  /** Hands bytes to the connection. */
  protected abstract write(bytes: Uint8Array, taken: () => void): void;

  get bufferedBytes(): number {
    return this.outlet.bufferedBytes;
  }

  send(response: Message): boolean {
    if (this.#hasEnded) return false;
    try {
      return this.outlet.push(this.encode(response));
    } catch (error) {
      this.end(RpcError.from(error, this.requestId));
      return false;
    }
  }

  onDrain(callback: () => void): void {
    this.outlet.onRoom(() => {
      if (!this.#hasEnded) callback();
    });
  }

  end(error?: RpcError): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (error) this.#end.reject(error);
    else this.#end.resolve();
  }

  drain(): void {
    if (this.#hasEnded) return;
    if (this.#requests?.draining) this.#requests.draining();
    else this.end(new RpcError("SHUTTING_DOWN", {}, { retryDelayMs: RECONNECT_DELAY_MS }));
  }

  protected get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Opens the method; the promise settles with the stream's end. */
  protected open(): Promise<void> {
    this.#requests = this.method.service.open(this, this);
    this.#streams.add(this);
    return this.#end.promise.finally(() => this.#streams.delete(this));
  }

  /** Hands a request to the method. What it throws ends the stream. */
  protected take(read: () => Message): void {
    if (this.#hasEnded) return;
    try {
      this.#requests?.received(read());
    } catch (error) {
      this.end(RpcError.from(error, this.requestId));
    }
  }

  /** The client has sent its last request. */
  protected takeEnd(): void {
    if (!this.#hasEnded) this.#requests?.finished();
  }

  /** The client is gone: nothing more reaches it. */
  protected leave(): void {
    if (this.#hasEnded) return;
    this.end();
    this.#requests?.gone();
  }
}

/** When a client whose stream ends by a stop of the server may come back. */
export const RECONNECT_DELAY_MS = 1000;
