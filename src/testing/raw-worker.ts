// A worker for tests that says what it is told to say, over a real stream, and keeps what it hears.
import assert from "node:assert/strict";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Client, type ClientDuplexStream, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import {
  Ack_Outcome,
  type Assignment,
  type AttemptKey,
  type HelloSchema,
  type Report_CancelPhaseSchema,
  type ReportSchema,
  type ServerMessage,
  ServerMessageSchema,
  SessionEnded_Cause,
  WorkerMessageSchema,
} from "../protocol/gen/belay/v1/workers_pb.ts";
import { toDuration } from "../protocol/worker-messages.ts";
import { eventually } from "./eventually.ts";

type Case = NonNullable<ServerMessage["message"]["case"]>;
type ValueOf<Name extends Case> = Extract<ServerMessage["message"], { case: Name }>["value"];
type WorkerInit = NonNullable<MessageInitShape<typeof WorkerMessageSchema>["message"]>;
export type ReportInit = NonNullable<MessageInitShape<typeof ReportSchema>["report"]>;

/** What a test changes of the hello. */
export type HelloInit = MessageInitShape<typeof HelloSchema>;

/** A worker that says what the test says, and keeps what it hears. */
export class RawWorker {
  readonly heard: ServerMessage["message"][] = [];
  readonly ended: Promise<ServiceError | null>;
  readonly call: ClientDuplexStream<Buffer, Buffer>;
  #taken = 0;

  constructor(address: string, token?: string) {
    const client = new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
    const metadata = new Metadata();
    if (token !== undefined) metadata.set("authorization", `Bearer token-of-${token}`);
    const same = (bytes: Buffer): Buffer => bytes;
    this.call = client.makeBidiStreamRequest("/belay.v1.Workers/Connect", same, same, metadata);
    this.call.on("data", (bytes: Buffer) => this.heard.push(fromBinary(ServerMessageSchema, bytes).message));
    this.ended = new Promise((resolve) => {
      this.call.on("error", resolve);
      this.call.on("end", () => setImmediate(resolve, null));
    });
    void this.ended.then(() => client.close());
  }

  say(message: WorkerInit): void {
    this.call.write(Buffer.from(toBinary(WorkerMessageSchema, create(WorkerMessageSchema, { message }))));
  }

  hello(changes: HelloInit = {}): void {
    const value = {
      worker: "raw",
      types: [{ type: "test.raw" }],
      slots: 2,
      lease: toDuration(5_000),
      ...changes,
    };
    this.say({ case: "hello", value });
  }

  /** The next message of a kind that was not taken yet; those before it are let go. */
  async next<Name extends Case>(name: Name): Promise<ValueOf<Name>> {
    return (await eventually(`${name} comes`, () => {
      for (let index = this.#taken; index < this.heard.length; index++) {
        const message = this.heard[index];
        if (message?.case !== name) continue;
        this.#taken = index + 1;
        return message.value;
      }
      throw new Error(`heard so far: ${this.heard.map((message) => message.case).join(", ")}`);
    })) as ValueOf<Name>;
  }

  #reports = 0n;
  /** The outcome of a report, and the message of its error. */
  async report(
    attempt: AttemptKey,
    report: ReportInit,
    steps: readonly MessageInitShape<typeof Report_CancelPhaseSchema>[] = [],
  ): Promise<[Ack_Outcome, string]> {
    const reportId = ++this.#reports;
    this.say({ case: "report", value: { reportId, attempt, report, steps: [...steps] } });
    const ack = await eventually(`report ${reportId} is answered`, () =>
      this.heard.find((message) => message.case === "ack" && message.value.reportId === reportId),
    );
    assert.ok(ack.case === "ack");
    return [ack.value.outcome, ack.value.error?.message ?? ""];
  }

  /** An assignment that has begun. */
  async begun(): Promise<Assignment & { attempt: AttemptKey }> {
    const assignment = await this.next("assignment");
    const { attempt } = assignment;
    assert.ok(attempt);
    assert.deepEqual(await this.report(attempt, { case: "started", value: {} }), [Ack_Outcome.ACCEPTED, ""]);
    return { ...assignment, attempt };
  }

  async bye(): Promise<void> {
    this.say({ case: "goodbye", value: {} });
    assert.equal((await this.next("sessionEnded")).cause, SessionEnded_Cause.CLOSED);
    assert.equal(await this.ended, null);
  }
}

/** A worker with a session of its own. */
export async function connectRawWorker(
  address: string,
  changes: HelloInit = {},
): Promise<RawWorker & { session: string }> {
  const worker = new RawWorker(address);
  worker.hello(changes);
  const { session } = await worker.next("welcome");
  return Object.assign(worker, { session });
}
