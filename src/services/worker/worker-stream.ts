// One stream of a remote worker: its session under it, its messages in, the engine's notices out. A session outlives its
// stream; which attempts it holds is the engine's to know.

import { create } from "@bufbuild/protobuf";
import type { Logger } from "../../base/logger.ts";
import { RpcError } from "../../base/rpc-error.ts";
import { StatusCode } from "../../base/status-code.ts";
import type { CommandOutcome, Grant } from "../../engine/commands.ts";
import type { Engine } from "../../engine/engine.ts";
import type { CancelRequest, OperationKey, OperationRecord } from "../../engine/operation.ts";
import type { Session } from "../../engine/session.ts";
import type { WorkerTransport } from "../../engine/worker-transport.ts";
import {
  Ack_Outcome,
  AckSchema,
  DrainSchema,
  HeartbeatReplySchema,
  type Hello,
  type Report,
  type ServerMessage,
  SessionEnded_Cause,
  SessionEndedSchema,
  WelcomeSchema,
  type WorkerMessage,
} from "../../protocol/gen/belay/v1/workers_pb.ts";
import { STRUCT_TYPE_URL, structPayload } from "../../protocol/struct.ts";
import { attemptText } from "../../protocol/worker-connection.ts";
import { fromWireAttempt, toDuration, toWireAttempt } from "../../protocol/worker-messages.ts";
import type { RequestStream, ResponseStream, StreamContext } from "../stream-method.ts";
import type { FindStartRules } from "./child-starts.ts";
import type { PayloadCodec } from "./payload-codec.ts";
import { WorkerChildren } from "./worker-children.ts";
import { readHello, type WorkerHello } from "./worker-hello.ts";
import { assignmentMessage, cancelNotice, revokeNotice } from "./worker-notices.ts";
import { UNREAD_MS_MAX, WorkerOutbox } from "./worker-outbox.ts";
import { answerOf, type ReportAnswer, readReport, refusedReport } from "./worker-report.ts";

/** Reports that are not committed yet; with so many nothing more is read from the worker. */
const REPORTS_MAX = 1000;

const HEARTBEATS_PER_LEASE = 3;

/** What a stream is made of. */
export interface WorkerStreamParts {
  engine: Engine;
  codec: PayloadCodec;
  rulesOf: FindStartRules;
  logger: Logger;
  responses: ResponseStream<ServerMessage>;
  context: StreamContext;
}

const endedCauses: Readonly<Record<"expired" | "replaced" | "closed", SessionEnded_Cause>> = {
  expired: SessionEnded_Cause.EXPIRED,
  replaced: SessionEnded_Cause.REPLACED,
  closed: SessionEnded_Cause.CLOSED,
};

export class WorkerStream implements RequestStream<WorkerMessage>, WorkerTransport {
  readonly reserves = true;
  readonly #parts: WorkerStreamParts;
  readonly #outbox: WorkerOutbox;
  /** The types of attempts that this stream was given, by attemptText: what their responses are encoded as. */
  readonly #types = new Map<string, string>();
  readonly #children: WorkerChildren;
  #jsonTypes: ReadonlySet<string> = new Set();
  #session: Session | undefined;
  #hasHello = false;
  #isOver = false;
  #isTold = false;
  #isDraining = false;
  #reports = 0;
  #isHolding = false;
  /** The newest heartbeat that waits for the one under way; 0 for none. */
  #heartbeatWaiting = 0n;
  #isBeating = false;
  /** What came while the session was being opened. */
  #early: WorkerMessage[] = [];

  constructor(parts: WorkerStreamParts) {
    const { engine, responses } = parts;
    this.#parts = parts;
    this.#outbox = new WorkerOutbox({
      responses,
      encode: (grant) => assignmentMessage(this.#readable(grant), engine.clock.now()),
      onStalled: () => this.#end(new RpcError("WORKER_TOO_SLOW", { seconds: UNREAD_MS_MAX / 1000 })),
    });
    responses.onDrain(() => this.#flow());
    this.#children = new WorkerChildren({ ...parts, outbox: this.#outbox });
  }

  received(message: WorkerMessage): void {
    if (this.#isOver) return;
    if (this.#session) this.#handle(message, this.#session);
    else if (this.#hasHello) this.#hold(message);
    else if (message.message.case === "hello") this.#greet(message.message.value);
    else this.#fail(`its first message is ${message.message.case ?? "empty"}, not hello`);
  }

  finished(): void {
    // Half-closed: nothing more can come, heartbeats neither. The session waits for its lease, as after a broken stream.
    this.#end();
  }

  gone(): void {
    this.#leave();
  }

  draining(): void {
    this.drain();
    this.#isDraining = true;
    this.#endDrained();
  }

  // What the engine says.

  granted(grant: Grant): void {
    if (this.#isOver) return;
    const { record } = grant;
    this.#types.set(attemptText(record), record.type);
    this.#outbox.assign(grant);
  }

  cancelRequested(record: OperationRecord, token: number, cancel: CancelRequest): void {
    if (this.#isOver) return;
    const now = this.#parts.engine.clock.now();
    this.#outbox.send({ case: "cancel", value: cancelNotice(record, token, cancel, now) });
  }

  revoked(key: OperationKey, token: number, record: OperationRecord): void {
    if (this.#isOver) return;
    // Never sent: the worker has no slot in use by it.
    if (this.#outbox.withdraw(key, token)) this.#session?.slotFreed();
    else this.#outbox.send({ case: "revoked", value: revokeNotice(key, token, record) });
  }

  drain(): void {
    if (this.#isOver || this.#isTold) return;
    this.#isTold = true;
    this.#outbox.send({ case: "drain", value: create(DrainSchema) });
  }

  ended(why: "expired" | "replaced" | "closed"): void {
    if (this.#isOver) return;
    this.#sayEnded(endedCauses[why]);
    this.#session = undefined;
    this.#end();
  }

  // What the worker says.

  #greet(hello: Hello): void {
    this.#hasHello = true;
    const read = readHello(hello, this.#parts.context.principal);
    this.#open(read).catch((error: unknown) => {
      const { requestId } = this.#parts.context;
      const failure = RpcError.from(error, requestId);
      if (failure.isInternal) this.#parts.logger.error({ requestId, err: error }, "a session was not opened");
      this.#end(failure);
    });
  }

  /** The request as the worker can read it. */
  #readable(grant: Grant): Grant {
    const { record, request } = grant;
    if (request === null || request.typeUrl === STRUCT_TYPE_URL || !this.#jsonTypes.has(record.type))
      return grant;
    return { ...grant, request: structPayload(this.#parts.codec.decodeRequest(record.service, request)) };
  }

  async #open(hello: WorkerHello): Promise<void> {
    const { engine, context } = this.#parts;
    this.#jsonTypes = hello.jsonTypes;
    await engine.declareRemoteTypes(hello.types);
    if (hello.session === "") {
      const session = await engine.openSession(hello.options, this);
      if (this.#isOver) {
        // Nobody knows its id: nobody can come back to it.
        await engine.closeSession(session.id);
        return;
      }
      this.#welcome(session, hello, []);
      return;
    }
    const inHand = hello.inHand.map(({ leaseToken, ...key }) => ({ key, token: leaseToken }));
    const resumed = await engine.resumeSession(hello.session, context.principal.id, this, inHand);
    if (resumed === null) {
      this.#sayEnded(SessionEnded_Cause.UNKNOWN);
      this.#end();
    } else if (this.#isOver) {
      resumed.session.detach(this);
    } else {
      const lost = resumed.lost.map(({ key, token }) => toWireAttempt({ ...key, leaseToken: token }));
      this.#welcome(resumed.session, hello, lost);
    }
  }

  #welcome(session: Session, hello: WorkerHello, lost: ReturnType<typeof toWireAttempt>[]): void {
    const { leaseMs } = session.facts;
    const value = create(WelcomeSchema, {
      session: session.id,
      lease: toDuration(leaseMs),
      heartbeatInterval: toDuration(leaseMs / HEARTBEATS_PER_LEASE),
      resumed: hello.session !== "",
      lost,
    });
    this.#outbox.send({ case: "welcome", value });
    this.#session = session;
    const early = this.#early;
    this.#early = [];
    this.#flow();
    for (const message of early) this.received(message);
  }

  #hold(message: WorkerMessage): void {
    if (message.message.case === "hello") {
      this.#fail("a second hello");
      return;
    }
    this.#early.push(message);
    if (this.#early.length > REPORTS_MAX) this.#fail("more than can be kept came before the welcome");
    this.#flow();
  }

  #handle({ message }: WorkerMessage, session: Session): void {
    switch (message.case) {
      case "heartbeat":
        this.#beat(message.value.sequence, session);
        return;
      case "report":
        void this.#report(message.value, session);
        return;
      case "slotsFreed": {
        const { count } = message.value;
        if (count < 1 || count > session.facts.slots) this.#fail(`slots_freed.count is ${count}`);
        else session.slotFreed(count);
        return;
      }
      case "drain":
        session.drain();
        return;
      case "startChild":
        this.#children.start(message.value, session);
        return;
      case "waitChild":
        this.#children.wait(message.value, session);
        return;
      case "goodbye":
        void this.#bye(session);
        return;
      default:
        this.#fail(message.case === "hello" ? "a second hello" : "a message says nothing");
    }
  }

  /** One write at a time, however many heartbeats come: the newest is answered by the next one. */
  #beat(sequence: bigint, session: Session): void {
    if (this.#isBeating) {
      this.#heartbeatWaiting = sequence;
      return;
    }
    this.#isBeating = true;
    session
      .heartbeat()
      .then(
        (cancels) => {
          if (cancels === null || this.#isOver) return; // `ended` was called
          const now = this.#parts.engine.clock.now();
          const value = create(HeartbeatReplySchema, {
            sequence,
            cancels: cancels.map(({ key, token, cancel }) => cancelNotice(key, token, cancel, now)),
          });
          this.#outbox.send({ case: "heartbeatReply", value });
        },
        () => {
          // The store is full or failing: no answer is no promise, and the worker beats again.
        },
      )
      .finally(() => {
        this.#isBeating = false;
        const waiting = this.#heartbeatWaiting;
        this.#heartbeatWaiting = 0n;
        if (waiting !== 0n && !this.#isOver) this.#beat(waiting, session);
      });
  }

  async #report(report: Report, session: Session): Promise<void> {
    this.#reports++;
    this.#flow();
    const { outcome, error } = await this.#commit(report, session);
    this.#reports--;
    if (!this.#isOver) {
      const { reportId } = report;
      this.#outbox.send({
        case: "ack",
        value: create(AckSchema, { reportId, outcome, ...(error && { error }) }),
      });
    }
    this.#flow();
    if (this.#isDraining) this.#endDrained();
  }

  async #commit(report: Report, session: Session): Promise<ReportAnswer> {
    const { engine, codec, logger } = this.#parts;
    const attempt = fromWireAttempt(report.attempt);
    const { service, tenant, name } = attempt;
    const text = attemptText(attempt);
    try {
      // An attempt of an earlier stream: the store knows its type.
      const typeOf = async (): Promise<string> =>
        this.#types.get(text) ?? (await engine.detail({ service, tenant, name })).record.type;
      const command = await readReport(report, attempt, session.id, { codec, service, typeOf });
      const outcome: CommandOutcome = await session.report(command);
      const answer = answerOf(outcome, command.type);
      if (isOverFor(answer, report)) this.#types.delete(text);
      return answer;
    } catch (thrown) {
      const error = RpcError.from(thrown, this.#parts.context.requestId);
      if (error.reason === "OPERATION_NOT_FOUND") return { outcome: Ack_Outcome.ALREADY_DONE };
      if (isRefusal(error)) return refusedReport(error);
      if (error.isInternal) logger.error({ err: thrown, operation: name }, "a report was not committed");
      return { outcome: Ack_Outcome.UNAVAILABLE };
    }
  }

  async #bye(session: Session): Promise<void> {
    try {
      await this.#parts.engine.closeSession(session.id);
    } catch (error) {
      this.#parts.logger.warn(
        { err: error, session: session.id },
        "a session was not closed; its lease will",
      );
    }
    this.ended("closed");
  }

  /** Takes nothing more from the worker while too much of its own is unfinished, or unread by it. */
  #flow(): void {
    const isOpening = this.#hasHello && this.#session === undefined && !this.#isOver;
    const isBusy = this.#reports >= (this.#isHolding ? REPORTS_MAX / 2 : REPORTS_MAX);
    const hold = isOpening || isBusy || this.#outbox.isOverfull;
    if (hold === this.#isHolding) return;
    this.#isHolding = hold;
    this.#parts.responses.holdRequests?.(hold);
  }

  #endDrained(): void {
    if (this.#reports > 0) return;
    this.#end(new RpcError("SHUTTING_DOWN", {}, { retryDelayMs: 0 }));
  }

  #sayEnded(cause: SessionEnded_Cause): void {
    this.#outbox.send({ case: "sessionEnded", value: create(SessionEndedSchema, { cause }) });
  }

  #fail(problem: string): void {
    this.#end(new RpcError("WORKER_PROTOCOL", { problem }));
  }

  #end(error?: RpcError): void {
    if (this.#isOver) return;
    this.#leave();
    this.#parts.responses.end(error);
  }

  /** The session stays until its lease passes. */
  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#outbox.close();
    this.#children.close();
    this.#session?.detach(this);
  }
}

const endReports: ReadonlySet<Report["report"]["case"]> = new Set([
  "returned",
  "completed",
  "failed",
  "stopped",
  "released",
] as const);

/** True if nothing more is reported of the attempt. */
function isOverFor({ outcome }: ReportAnswer, { report }: Report): boolean {
  if (outcome === Ack_Outcome.LEASE_LOST) return true;
  return outcome === Ack_Outcome.ACCEPTED && endReports.has(report.case);
}

/** The report itself is wrong, and would be refused again. */
function isRefusal({ code }: RpcError): boolean {
  return code === StatusCode.INVALID_ARGUMENT;
}
