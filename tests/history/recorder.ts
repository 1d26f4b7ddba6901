// Records what callers of a server, or of several nodes, ask and are answered: each caller has one call at a time, and goes on
// to the next node when one does not answer. Everything is kept here, in the test's own process, which no fault reaches.
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { delay } from "../../src/base/timers.ts";
import {
  BelayError,
  type CancelOptions,
  type Operation,
  type StartOptions,
} from "../../src/client/client.ts";
import { RpcChannel } from "../../src/client/rpc-channel.ts";
import { durationOf, startMessage } from "../../src/client/start-message.ts";
import { Operations, VerdictSchema } from "../../src/protocol/gen/belay/v1/operations_pb.ts";
import { Operations as GoogleOperations } from "../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { type Call, type History, type ListedRow, type Listing, NEVER } from "./history.ts";
import { viewOf, viewOfGoogle } from "./view.ts";
import { WatchRecord } from "./watch-record.ts";

/** No load is as slow as that. */
const MORE_MS = 30_000;

/** What was recorded so far, by all callers. Disposing it ends its watches. */
export class Recorder implements AsyncDisposable {
  readonly calls: Call[] = [];
  readonly listings: Listing[] = [];
  readonly watches: WatchRecord[] = [];
  readonly sweeps: History["sweeps"][number][] = [];
  readonly labels = new Map<string, Readonly<Record<string, string>>>();
  /** Answers that a client with the standard rules for retries hands on to its user. */
  readonly wrong: string[] = [];
  readonly unanswered: Record<string, number> = {};

  /** Resolves when so many more calls were answered: as much of a load as that is, however slow the machine. */
  async more(count: number): Promise<void> {
    const enough = this.#answered() + count;
    await eventually(`${count} more calls are answered`, () => this.#answered() >= enough, {
      timeoutMs: MORE_MS,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.watches.map((watch) => watch.close()));
  }

  #answered(): number {
    return this.calls.filter(({ outcome }) => outcome === "ok").length;
  }

  /** Watches everything from now on; resolves when it has begun. */
  async watch(caller: string, addresses: readonly string[]): Promise<WatchRecord> {
    const watch = new WatchRecord(caller, addresses);
    this.watches.push(watch);
    await watch.begun;
    return watch;
  }
}

export interface CallerOptions {
  name: string;
  /** The nodes, in the order in which it tries them. */
  addresses: readonly string[];
  callTimeoutMs?: number;
  /** Codes of gRPC that a call may end with. A standard client repeats after UNAVAILABLE, and nothing else. */
  passing?: readonly status[];
}

/** The codes where nodes are stopped without a word, so that calls run out of time. */
export const passingWhereStopped: readonly status[] = [status.UNAVAILABLE, status.DEADLINE_EXCEEDED];

const PAUSE_MS = 25;
const PAGE = 200;

/** One caller. */
export class RecordedCaller {
  readonly name: string;
  readonly #recorder: Recorder;
  readonly #addresses: readonly string[];
  readonly #channels = new Map<string, RpcChannel>();
  readonly #timeoutMs: number;
  readonly #passing: readonly status[];
  #node = 0;

  constructor(recorder: Recorder, { name, addresses, callTimeoutMs = 5000, passing }: CallerOptions) {
    this.name = name;
    this.#recorder = recorder;
    this.#addresses = addresses;
    this.#timeoutMs = callTimeoutMs;
    this.#passing = passing ?? [status.UNAVAILABLE];
  }

  /** Where the next call goes. */
  get node(): string {
    return this.#addresses[this.#node % this.#addresses.length] ?? "";
  }

  /** The next call goes to the next node. */
  turn(): void {
    this.#node++;
  }

  /** Repeats the start with its request id until it is answered, or until `isOver`. Undefined: it was not. */
  async start(
    type: string,
    options: StartOptions & { requestId: string },
    isOver: () => boolean,
  ): Promise<string | undefined> {
    const labels = { ...options.labels, request: options.requestId };
    const message = startMessage(type, { ...options, labels });
    const fields = { what: "start", name: "", requestId: options.requestId } as const;
    do {
      const answer = await this.#record(Operations.method.startOperation, message, fields, (operation) => ({
        name: operation.name,
        view: viewOf(operation),
      }));
      if (answer) {
        this.#recorder.labels.set(answer.name, labels);
        return answer.name;
      }
    } while (!isOver());
    return undefined;
  }

  get(name: string): Promise<Operation | undefined> {
    const fields = { what: "get", name } as const;
    return this.#record(Operations.method.getOperation, { name }, fields, (read) => ({ view: viewOf(read) }));
  }

  /** Asks once, for that long at most. */
  wait(name: string, waitMs: number): Promise<Operation | undefined> {
    const fields = { what: "get", name } as const;
    const request = { name, timeout: durationOf(waitMs) };
    return this.#record(Operations.method.waitOperation, request, fields, (read) => ({ view: viewOf(read) }));
  }

  /** As a google client sees it. */
  async getGoogle(name: string): Promise<void> {
    const { getOperation } = GoogleOperations.method;
    await this.#record(getOperation, { name }, { what: "get", name }, ({ done, result }) => {
      const { case: which, value } = result;
      const ended = which === "error" ? { error: value } : which === "response" ? { response: value } : {};
      return { view: viewOfGoogle({ done, ...ended }) };
    });
  }

  /** True if it was answered. */
  async cancel(name: string, options: CancelOptions = {}): Promise<boolean> {
    const { reason = "", force = false, graceMs } = options;
    const request = { name, reason, force, ...(graceMs !== undefined && { grace: durationOf(graceMs) }) };
    const fields = { what: "cancel", name } as const;
    const answer = await this.#record(
      Operations.method.cancelOperation,
      request,
      fields,
      ({ verdict, operation }) => ({
        verdict: VerdictSchema.value[verdict]?.name ?? "",
        ...(operation && { view: viewOf(operation) }),
      }),
    );
    return answer !== undefined;
  }

  /** As a google client does it: the answer is empty. */
  async cancelGoogle(name: string): Promise<void> {
    const fields = { what: "cancel", name } as const;
    await this.#record(GoogleOperations.method.cancelOperation, { name }, fields, () => ({}));
  }

  async delete(name: string): Promise<void> {
    const fields = { what: "delete", name } as const;
    await this.#record(Operations.method.deleteOperation, { name }, fields, () => ({}));
  }

  /** All pages, each from another node. Undefined if one of them was not answered. */
  async list(label: Listing["label"], showDeleted = false): Promise<Listing | undefined> {
    const filter = label ? `labels.${label.key} = "${label.value}"` : "";
    const startMs = performance.now();
    const rows: ListedRow[] = [];
    const { caller, node } = { caller: this.name, node: this.node };
    let pageToken = "";
    do {
      const beganMs = performance.now();
      const page = await this.#call(Operations.method.listOperations, {
        ...{ filter, pageSize: PAGE, pageToken, showDeleted },
      });
      if (page instanceof BelayError) {
        this.#failed("list", page);
        return undefined;
      }
      const endMs = performance.now();
      for (const operation of page.operations) {
        const { name, labels } = operation;
        this.#recorder.labels.set(name, labels);
        rows.push({ name, labels, view: viewOf(operation, "list"), startMs: beganMs, endMs });
      }
      pageToken = page.nextPageToken;
      this.turn();
    } while (pageToken !== "");
    const listing = { caller, node, label, showDeleted, rows, startMs, endMs: performance.now() };
    this.#recorder.listings.push(listing);
    return listing;
  }

  close(): void {
    for (const channel of this.#channels.values()) channel.close();
  }

  /** Calls once, and keeps what came of it. Undefined: it was not answered, or was refused. */
  async #record<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageInitShape<Input>,
    fields: Pick<Call, "what" | "name" | "requestId">,
    read: (answer: MessageShape<Output>) => Partial<Call>,
  ): Promise<MessageShape<Output> | undefined> {
    const call = { ...fields, caller: this.name, node: this.node, startMs: performance.now() };
    const answer = await this.#call(method, request);
    const endMs = performance.now();
    if (!(answer instanceof BelayError)) {
      this.#recorder.calls.push({ ...call, endMs, outcome: "ok", ...read(answer) });
      return answer;
    }
    if (answer.reason === "OPERATION_NOT_FOUND") {
      this.#recorder.calls.push({ ...call, endMs, outcome: "refused", refusal: answer.reason });
      return undefined;
    }
    if (!isUndone(answer)) this.#recorder.calls.push({ ...call, endMs: NEVER, outcome: "unknown" });
    this.#failed(fields.what, answer);
    this.turn();
    await delay(PAUSE_MS);
    return undefined;
  }

  async #call<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageInitShape<Input>,
  ): Promise<MessageShape<Output> | BelayError> {
    const channel = this.#channels.get(this.node) ?? new RpcChannel(this.node);
    this.#channels.set(this.node, channel);
    try {
      return await channel.call(method, request, { timeoutMs: this.#timeoutMs });
    } catch (error) {
      if (error instanceof BelayError) return error;
      throw error;
    }
  }

  /** Counts it, and keeps it if no client repeats after it by itself. */
  #failed(what: string, error: BelayError): void {
    const code = codeOf(error);
    const key = `${what} ${status[code]} ${error.reason}`.trim();
    this.#recorder.unanswered[key] = (this.#recorder.unanswered[key] ?? 0) + 1;
    if (!this.#passing.includes(code)) this.#recorder.wrong.push(`${key}: ${error.message} (${this.node})`);
  }
}

/** The code on the wire: the client has its own word for a stream that was reset. */
function codeOf({ cause, code }: BelayError): status {
  const raw = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
  return typeof raw === "number" ? raw : (status[code as keyof typeof status] ?? status.UNKNOWN);
}

/** Nobody was there to take the call. */
function isUndone({ message }: BelayError): boolean {
  return message.includes("connection refused");
}
