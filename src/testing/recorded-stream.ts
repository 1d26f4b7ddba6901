// The server's side of a stream for tests of streaming methods: keeps what is sent, and reads as slowly as the test says.
import type { RpcError } from "../base/rpc-error.ts";
import type { ResponseStream } from "../services/stream-method.ts";
import { eventually } from "./eventually.ts";

/** Sent messages, at most `room` of them untaken. */
export class RecordedStream<Response> implements ResponseStream<Response> {
  readonly sent: Response[] = [];
  /** How it was ended; null for OK, undefined while it is open. */
  ending: RpcError | null | undefined;
  readonly #room: number;
  readonly #onDrain: (() => void)[] = [];
  #untaken = 0;
  #isFull = false;

  constructor(room: number = Number.POSITIVE_INFINITY) {
    this.#room = room;
  }

  get bufferedBytes(): number {
    return this.#room === Number.POSITIVE_INFINITY ? 0 : this.#untaken;
  }

  send(response: Response): boolean {
    this.sent.push(response);
    this.#untaken++;
    this.#isFull = this.#untaken >= this.#room;
    return !this.#isFull;
  }

  onDrain(callback: () => void): void {
    this.#onDrain.push(callback);
  }

  end(error?: RpcError): void {
    this.ending = error ?? null;
  }

  /** The client reads so many messages. */
  take(count: number = this.#untaken): void {
    this.#untaken = Math.max(0, this.#untaken - count);
    if (!this.#isFull || this.#untaken >= this.#room) return;
    this.#isFull = false;
    for (const callback of this.#onDrain) callback();
  }

  /** Resolves when so many messages were sent. */
  async until(count: number): Promise<readonly Response[]> {
    await eventually(`${count} messages`, () => this.sent.length >= count || this.ending !== undefined);
    return this.sent;
  }

  /** Resolves with the error that it was ended with. */
  async ended(): Promise<RpcError | null> {
    await eventually("the end of the stream", () => this.ending !== undefined);
    return this.ending ?? null;
  }
}
