// The children of one attempt: its calls to the session, asked again while the server cannot be reached.
import { RpcError } from "../base/rpc-error.ts";
import { StatusCode } from "../base/status-code.ts";
import { delay } from "../base/timers.ts";
import type { AttemptKey, ChildState, WorkerSession } from "../protocol/worker-connection.ts";
import { ChildRefused } from "./child-operation.ts";
import type { ChildOrder } from "./runner.ts";

/** How long one call waits for a child's end; it may answer earlier. */
const WAIT_MS = 30_000;
const BACKOFF_MIN_MS = 50;
const BACKOFF_MAX_MS = 5_000;

/** What an attempt asks of its session for its children. */
export class AttemptChildren {
  readonly #parent: AttemptKey;
  readonly #session: Pick<WorkerSession, "startChild" | "waitChild">;
  readonly #over: AbortSignal;

  /** `over` aborts when the attempt has ended or is lost: nothing is asked any more. */
  constructor(
    parent: AttemptKey,
    session: Pick<WorkerSession, "startChild" | "waitChild">,
    over: AbortSignal,
  ) {
    this.#parent = parent;
    this.#session = session;
    this.#over = over;
  }

  /** The request id makes a repeated start the same child. */
  start(order: ChildOrder): Promise<ChildState> {
    return this.#ask(() => this.#session.startChild({ ...order, parent: this.#parent }));
  }

  async wait({ service, name }: { service: string | undefined; name: string }): Promise<ChildState> {
    const child = { service: service ?? this.#parent.service, name };
    for (;;) {
      const state = await this.#ask(() => this.#session.waitChild(this.#parent, child, WAIT_MS));
      if (state.done) return state;
    }
  }

  async #ask(call: () => Promise<ChildState>): Promise<ChildState> {
    for (let tries = 0; ; tries++) {
      if (this.#over.aborted) throw attemptOver();
      try {
        return await call();
      } catch (error) {
        if (!isPassing(error)) throw refusalOf(error);
        await delay(Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(tries, 10)), this.#over).catch(
          () => {},
        );
      }
    }
  }
}

function attemptOver(): ChildRefused {
  return new ChildRefused({
    code: StatusCode.ABORTED,
    reason: "LEASE_LOST",
    message: "the attempt is over: nothing is known of its children here any more",
  });
}

/** The server cannot say just now. */
function isPassing(error: unknown): boolean {
  return error instanceof RpcError && error.code === StatusCode.UNAVAILABLE;
}

function refusalOf(error: unknown): ChildRefused {
  if (error instanceof RpcError) return new ChildRefused(error, { cause: error });
  const message = error instanceof Error ? error.message : String(error);
  return new ChildRefused({ code: StatusCode.UNKNOWN, reason: "", message }, { cause: error });
}
