// Runs calls through the interceptors and the method. Synchronous as long as nobody answers a promise: a Get of an
// operation at hand is answered in the same turn of the event loop.
import { RpcError } from "../base/rpc-error.ts";
import type { Interceptor } from "./interceptors/interceptor.ts";
import type { ServerCall } from "./server-call.ts";

export class Pipeline {
  readonly #interceptors: readonly Interceptor[];

  /** In order: the first is entered first and left last. */
  constructor(interceptors: readonly Interceptor[]) {
    this.#interceptors = interceptors;
  }

  /** Runs the call to its answer. Never throws. */
  run(call: ServerCall): void {
    this.#enter(call, 0);
  }

  #enter(call: ServerCall, from: number): void {
    try {
      for (let index = from; index < this.#interceptors.length; index++) {
        const pending = this.#interceptors[index]?.before?.(call);
        if (pending !== undefined) {
          pending.then(
            () => {
              call.entered = index + 1;
              this.#enter(call, index + 1);
            },
            (error: unknown) => this.#fail(call, error),
          );
          return;
        }
        call.entered = index + 1;
      }
      const reply = call.invoke();
      if (reply instanceof Promise) {
        reply.then(
          (value: unknown) => this.#answer(call, value),
          (error: unknown) => this.#fail(call, error),
        );
      } else {
        this.#answer(call, reply);
      }
    } catch (error) {
      this.#fail(call, error);
    }
  }

  #answer(call: ServerCall, reply: unknown): void {
    if (call.isGone) {
      this.#leave(call, new RpcError("CALL_CANCELLED"));
      return;
    }
    try {
      call.answer(reply);
    } catch (error) {
      this.#fail(call, error);
      return;
    }
    call.isOver = true;
    this.#leave(call, null);
  }

  #fail(call: ServerCall, thrown: unknown): void {
    const error = RpcError.from(thrown, call.requestId);
    call.isOver = true;
    call.fail(error);
    this.#leave(call, error);
  }

  #leave(call: ServerCall, error: RpcError | null): void {
    for (let index = call.entered - 1; index >= 0; index--) this.#interceptors[index]?.after?.(call, error);
  }
}
