// What goes out to a remote worker: answers and notices at once, assignments as fast as the worker reads. A worker that
// does not read is given up after a while; within its lease it may come back.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { startTimer, type Timer } from "../../base/timers.ts";
import type { Grant } from "../../engine/commands.ts";
import { keyText } from "../../engine/decision.ts";
import type { OperationKey } from "../../engine/operation.ts";
import { type ServerMessage, ServerMessageSchema } from "../../protocol/gen/belay/v1/workers_pb.ts";
import type { ResponseStream } from "../stream-method.ts";

/** A ServerMessage without its frame. */
export type ServerMessageInit = NonNullable<MessageInitShape<typeof ServerMessageSchema>["message"]>;

/** How long a worker may leave what is sent to it unread. */
export const UNREAD_MS_MAX = 30_000;

/** More than this unread, of answers and notices alone, and nothing more is read from the worker. */
const UNREAD_BYTES_MAX = 1_048_576;

export interface OutboxOptions {
  responses: ResponseStream<ServerMessage>;
  /** The message of a grant, made when its turn comes: its times count from then. */
  encode(grant: Grant): ServerMessageInit;
  /** The worker has not read for UNREAD_MS_MAX. */
  onStalled(): void;
}

export class WorkerOutbox {
  readonly #responses: ResponseStream<ServerMessage>;
  readonly #encode: OutboxOptions["encode"];
  readonly #onStalled: () => void;
  /** Assignments that wait for the worker to read, in their order, by keyText. */
  readonly #grants = new Map<string, Grant>();
  #stall: Timer | undefined;
  #isFull = false;

  constructor({ responses, encode, onStalled }: OutboxOptions) {
    this.#responses = responses;
    this.#encode = encode;
    this.#onStalled = onStalled;
    responses.onDrain(() => this.#drained());
  }

  /** True while so much is unread that nothing more should be taken from the worker. */
  get isOverfull(): boolean {
    return this.#responses.bufferedBytes > UNREAD_BYTES_MAX;
  }

  /** Sends an answer or a notice, ahead of assignments that wait. */
  send(message: ServerMessageInit): void {
    if (this.#responses.send(create(ServerMessageSchema, { message }))) return;
    this.#isFull = true;
    this.#stall ??= startTimer(UNREAD_MS_MAX, this.#onStalled, { unref: true });
  }

  /** Sends an assignment when the worker has room for it. */
  assign(grant: Grant): void {
    this.#grants.set(keyText(grant.record), grant);
    this.#pump();
  }

  /** True if the assignment has not been sent: then it never will be. */
  withdraw(key: OperationKey, token: number): boolean {
    const text = keyText(key);
    return this.#grants.get(text)?.record.leaseToken === token && this.#grants.delete(text);
  }

  /** Forgets what waits. */
  close(): void {
    this.#grants.clear();
    this.#stall?.cancel();
    this.#stall = undefined;
  }

  #drained(): void {
    this.#isFull = false;
    this.#stall?.cancel();
    this.#stall = undefined;
    this.#pump();
  }

  #pump(): void {
    for (const [text, grant] of this.#grants) {
      if (this.#isFull) return;
      this.#grants.delete(text);
      this.send(this.#encode(grant));
    }
  }
}
