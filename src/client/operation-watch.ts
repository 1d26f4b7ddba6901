// OperationWatch: the events of a WatchOperations stream, across broken connections and restarts of the server. The
// position moves on only when an event has been taken, so that nothing is lost and nothing is told twice.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { monotonicMs } from "../base/clock.ts";
import { randomKey } from "../base/random.ts";
import { delay } from "../base/timers.ts";
import {
  Operations,
  State,
  type WatchOperationsRequestSchema,
  type WatchOperationsResponse,
} from "../protocol/gen/belay/v1/operations_pb.ts";
import { BelayError } from "./belay-error.ts";
import type { WatchEvent, WatchOptions } from "./call-options.ts";
import type { RpcChannel } from "./rpc-channel.ts";

const AWAY_MAX_MS = 60_000;
const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 5_000;

/**
 * The events of a watch: iterate it once with `for await`. Leaving the loop ends the watch.
 *
 * How it ends: of names, by itself when all of them are done; else it throws. An abort of its signal throws the signal's
 * reason. A BelayError with the reason `RESUME_TOKEN_EXPIRED` says that changes after the resume token are no longer
 * kept: watch anew. `OPERATION_NOT_FOUND`: a name does not exist. UNAVAILABLE: the server was away for too long;
 * `resumeToken` is where another watch goes on.
 */
export class OperationWatch implements AsyncIterable<WatchEvent> {
  readonly #channel: RpcChannel;
  readonly #options: WatchOptions;
  /** Of the names, those that are not known to be done. */
  readonly #open: Set<string>;
  /** Of the names, those of which nothing was told. */
  readonly #untold: Set<string>;
  #token: string;
  #needsInitial: boolean;
  #isTaken = false;

  constructor(channel: RpcChannel, options: WatchOptions) {
    this.#channel = channel;
    this.#options = options;
    this.#open = new Set(options.names);
    this.#token = options.resumeToken ?? "";
    this.#needsInitial = options.initial ?? this.#token === "";
    this.#untold = new Set(this.#needsInitial ? options.names : []);
  }

  /** Where another watch of the same things goes on: after the last event that was taken. "" before the first. */
  get resumeToken(): string {
    return this.#token;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchEvent, void, undefined> {
    if (this.#isTaken) throw new TypeError("a watch is iterated once; its resumeToken is for the next one");
    this.#isTaken = true;
    const { signal, awayMaxMs = AWAY_MAX_MS } = this.#options;
    let hasBeenReached = false;
    let awaySince: number | undefined;
    let pauseMs = PAUSE_MIN_MS;
    for (;;) {
      let problem: unknown = new BelayError("the server ended the watch", { code: "UNAVAILABLE" });
      const { watchOperations } = Operations.method;
      try {
        for await (const message of this.#channel.stream(watchOperations, this.#request(), signal)) {
          [hasBeenReached, awaySince, pauseMs] = [true, undefined, PAUSE_MIN_MS];
          yield* this.#eventsOf(message);
          if (this.#isOver()) return;
        }
      } catch (error) {
        if (!isPassing(error)) throw error;
        problem = error;
      }
      awaySince ??= monotonicMs();
      // A server that was never reached is a wrong address, not a restart.
      if (!hasBeenReached || monotonicMs() - awaySince > awayMaxMs) throw problem;
      await delay(pauseMs * (0.5 + (randomKey(1)[0] ?? 0) / 512), signal);
      pauseMs = Math.min(PAUSE_MAX_MS, pauseMs * 2);
    }
  }

  #request(): MessageInitShape<typeof WatchOperationsRequestSchema> {
    const { names, filter, parent } = this.#options;
    return {
      parent: parent ?? "",
      names: names ? [...names] : [],
      filter: filter ?? "",
      // Until all present states were told, the token stands behind some that were not: they are told anew.
      resumeToken: this.#needsInitial ? "" : this.#token,
      initial: this.#needsInitial,
    };
  }

  *#eventsOf(message: WatchOperationsResponse): Generator<WatchEvent, void, undefined> {
    const { event, resumeToken, initialEnd } = message;
    const type = this.#needsInitial ? "present" : "change";
    if (event) {
      this.#note(event.name, event.state);
      yield { type, event, resumeToken };
    }
    if (resumeToken !== "") this.#token = resumeToken;
    if (!initialEnd || !this.#needsInitial) return;
    this.#needsInitial = false;
    yield { type: "caughtUp", resumeToken: this.#token };
    this.#refuseMissing();
  }

  #note(name: string, state: State): void {
    this.#untold.delete(name);
    if (isDone(state)) this.#open.delete(name);
  }

  #isOver(): boolean {
    const { names } = this.#options;
    return names !== undefined && names.length > 0 && this.#open.size === 0;
  }

  #refuseMissing(): void {
    const [name] = this.#untold;
    if (name === undefined) return;
    throw new BelayError(`operation ${name} is not found`, {
      code: "NOT_FOUND",
      reason: "OPERATION_NOT_FOUND",
      metadata: { name },
    });
  }
}

function isDone(state: State): boolean {
  return state === State.SUCCEEDED || state === State.FAILED || state === State.CANCELLED;
}

/** The server is away, or it ended the stream because this side read too slowly: the token goes on from there. */
function isPassing(error: unknown): boolean {
  return error instanceof BelayError && (error.isUnreachable || error.reason === "WATCH_TOO_SLOW");
}
