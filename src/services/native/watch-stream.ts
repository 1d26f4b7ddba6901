// One open watch: from pages of the feed to messages, at the pace at which the client reads. Nothing is kept for a client
// that does not read: the feed is asked for more only when the last page was taken.
import { create } from "@bufbuild/protobuf";
import { RpcError } from "../../base/rpc-error.ts";
import { startTimer, type Timer } from "../../base/timers.ts";
import type { Engine } from "../../engine/engine.ts";
import type { FeedSubscription } from "../../engine/feed-hub.ts";
import type { FeedEntry, FeedPage, ListedOperation } from "../../engine/store.ts";
import {
  OperationEventSchema,
  type WatchOperationsRequest,
  type WatchOperationsResponse,
  WatchOperationsResponseSchema,
} from "../../protocol/gen/belay/v1/operations_pb.ts";
import type { Caller } from "../access.ts";
import type { RequestStream, ResponseStream } from "../stream-method.ts";
import { timestampOf } from "../wire-time.ts";
import { projectState } from "./family-projection.ts";
import { projectListed } from "./projection.ts";
import { etagOf } from "./request-fields.ts";
import { readWatch, type WatchOrder } from "./watch-request.ts";
import { type PresentOperation, presentOperations } from "./watch-snapshot.ts";

const RECONNECT_DELAY_MS = 1000;

export interface WatchStreamOptions {
  engine: Engine;
  responses: ResponseStream<WatchOperationsResponse>;
  caller: Caller;
  requestId: string;
  /** A client that takes nothing for this long is given up, in milliseconds. */
  silentMs: number;
}

export class WatchStream implements RequestStream<WatchOperationsRequest> {
  readonly #options: WatchStreamOptions;
  readonly #scope: { service: string; tenant: string };
  /** The revisions that the snapshot told, until the feed has passed them. */
  #told = new Map<string, number>();
  #order: WatchOrder | null = null;
  #subscription: FeedSubscription | null = null;
  #hasBegun = false;
  #isOver = false;
  /** The last token that was sent; "" for none. */
  #token = "";
  #room: PromiseWithResolvers<void> | null = null;
  #patience: Timer | null = null;

  constructor(options: WatchStreamOptions) {
    const { responses, caller } = options;
    this.#options = options;
    this.#scope = { service: caller.service, tenant: caller.principal.tenant };
    responses.onDrain(() => this.#makeRoom());
  }

  received(request: WatchOperationsRequest): void {
    if (this.#hasBegun) return; // a server stream takes one request
    this.#hasBegun = true;
    this.#begin(request).catch((error: unknown) => this.#end(RpcError.from(error, this.#options.requestId)));
  }

  finished(): void {}

  gone(): void {
    this.#close();
  }

  draining(): void {
    this.#end(new RpcError("SHUTTING_DOWN", {}, { retryDelayMs: RECONNECT_DELAY_MS }));
  }

  async #begin(request: WatchOperationsRequest): Promise<void> {
    const { engine, caller } = this.#options;
    this.#order = await readWatch(engine, request, caller);
    if (this.#isOver) return;
    this.#subscription = engine.feed.open(
      this.#order.feed,
      (page) => this.#take(page),
      (error) => this.#end(RpcError.from(error, this.#options.requestId)),
    );
  }

  /** Resolves when the client has room for more. */
  async #take(page: FeedPage): Promise<void> {
    if (this.#order?.initial) {
      const { feed } = this.#order;
      this.#order = { feed, initial: false };
      await this.#tellPresent(page);
      return;
    }
    const entries = page.entries.filter(({ name, revision }) => revision > (this.#told.get(name) ?? 0));
    await this.#tellEntries(entries);
    // It was read after the snapshot, to the end: nothing that the snapshot told comes any more.
    if (page.entries.length > 0 && page.isAtEnd) this.#told.clear();
    if (entries.length === 0) await this.#send({ resumeToken: await this.#seal(page.position) });
  }

  /**
   * Changes that are committed meanwhile are in the snapshot or come after it, and those that are both are told once:
   *
   *   the watch begins at position 7 -> a is at revision 3, position 9 -> the snapshot tells a at 3 -> the feed tells 8
   *   and 9, which is a at 3: known.
   *
   * No token before its end: it could not be resumed from the middle.
   */
  async #tellPresent({ position }: FeedPage): Promise<void> {
    if (this.#order === null) return;
    for await (const slice of presentOperations(this.#options.engine, this.#order.feed)) {
      for (const present of slice) {
        if (this.#isOver) return;
        if (present.operation) this.#told.set(present.name, present.operation.record.revision);
        await this.#send({ event: presentEvent(present) });
      }
    }
    await this.#send({ resumeToken: await this.#seal(position), initialEnd: true });
  }

  async #tellEntries(entries: readonly FeedEntry[]): Promise<void> {
    const tokens = await Promise.all(entries.map(({ position }) => this.#seal(position)));
    for (const [index, entry] of entries.entries()) {
      if (this.#isOver) return;
      await this.#send({ resumeToken: tokens[index] ?? "", event: changeEvent(entry) });
    }
  }

  #seal(position: number): Promise<string> {
    return this.#options.engine.feed.sealToken(this.#scope, position);
  }

  async #send(message: Partial<Omit<WatchOperationsResponse, "$typeName">>): Promise<void> {
    if (this.#isOver) return;
    if (message.resumeToken) this.#token = message.resumeToken;
    const { responses } = this.#options;
    if (responses.send(create(WatchOperationsResponseSchema, message)) || this.#isOver) return;
    this.#room = Promise.withResolvers();
    this.#waitForReader(responses.bufferedBytes);
    await this.#room.promise;
  }

  #makeRoom(): void {
    this.#patience?.cancel();
    this.#room?.resolve();
    this.#room = null;
  }

  /** As long as the client takes anything at all, it is only slow. */
  #waitForReader(bufferedBytes: number): void {
    const { silentMs, responses } = this.#options;
    this.#patience = startTimer(
      silentMs,
      () => {
        const left = responses.bufferedBytes;
        if (left < bufferedBytes) this.#waitForReader(left);
        else
          this.#end(new RpcError("WATCH_TOO_SLOW", { seconds: silentMs / 1000, resumeToken: this.#token }));
      },
      { unref: true },
    );
  }

  #end(error: RpcError): void {
    if (this.#isOver) return;
    this.#close();
    this.#options.responses.end(error);
  }

  #close(): void {
    this.#isOver = true;
    this.#subscription?.close();
    this.#makeRoom();
    this.#told.clear();
  }
}

type EventMessage = NonNullable<WatchOperationsResponse["event"]>;

function changeEvent({ name, state, revision, time, operation }: FeedEntry): EventMessage {
  const event = create(OperationEventSchema, {
    name,
    state: projectState(state),
    etag: etagOf(revision),
    time: timestampOf(time),
  });
  if (operation) event.operation = projectListed(operation);
  return event;
}

/** Of a name that nothing is known of, the name alone. */
function presentEvent({ name, operation }: PresentOperation): EventMessage {
  return operation ? stateEvent(operation) : create(OperationEventSchema, { name });
}

function stateEvent(operation: ListedOperation): EventMessage {
  const { name, state, revision, updateTime } = operation.record;
  return create(OperationEventSchema, {
    name,
    state: projectState(state),
    etag: etagOf(revision),
    time: timestampOf(updateTime),
    operation: projectListed(operation),
  });
}
