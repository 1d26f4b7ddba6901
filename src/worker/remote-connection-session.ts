// A session on a server of another process: what the worker says goes out over whatever stream there is, and comes back
// for as long as the lease lasts. A stream that breaks costs nothing but time.
import { create } from "@bufbuild/protobuf";
import { monotonicMs } from "../base/clock.ts";
import { randomFraction } from "../base/random.ts";
import { RpcError } from "../base/rpc-error.ts";
import { delay, startInterval, startTimer, type Timer } from "../base/timers.ts";
import { BelayError } from "../client/belay-error.ts";
import {
  DrainSchema,
  GoodbyeSchema,
  HeartbeatSchema,
  type HelloSchema,
  type ServerMessage,
  SessionEnded_Cause,
  SlotsFreedSchema,
  type Welcome,
} from "../protocol/gen/belay/v1/workers_pb.ts";
import type {
  Assignment,
  AttemptKey,
  CancelNotice,
  ChildStart,
  ChildState,
  ReportOutcome,
  WorkerHello,
  WorkerListener,
  WorkerReport,
  WorkerSession,
} from "../protocol/worker-connection.ts";
import {
  fromDuration,
  fromWireAttempt,
  fromWireRevocation,
  toWireAttempt,
} from "../protocol/worker-messages.ts";
import type { RemoteConnectionOptions } from "./remote-connection.ts";
import { RemoteAttempts } from "./remote-connection-attempts.ts";
import { RemoteChildren } from "./remote-connection-children.ts";
import { RemoteLease } from "./remote-connection-lease.ts";
import { helloMessage, readAssignment, readCancel } from "./remote-connection-messages.ts";
import { RemoteReports } from "./remote-connection-reports.ts";
import { RemoteStream, type WorkerMessageInit } from "./remote-connection-stream.ts";

/** How long a stream may take from its beginning to the welcome. */
const WELCOME_MS = 10_000;
/** How long a goodbye waits for its answer. */
const GOODBYE_MS = 2_000;
const RECONNECT_MIN_MS = 50;
const RECONNECT_MAX_MS = 2_000;
/** While the server is away, the log says so at most this often. */
const AWAY_LOG_MS = 1_000;
/** Before there is a session: the server's default lease. */
const KEEPALIVE_MS = 5_000;

/** The server knows the session no more. */
class SessionGone extends Error {
  override name = "SessionGone";
}

export class RemoteSession implements WorkerSession {
  readonly #options: RemoteConnectionOptions;
  readonly #hello: WorkerHello;
  readonly #listener: WorkerListener;
  readonly #lease: RemoteLease;
  readonly #reports: RemoteReports;
  readonly #children: RemoteChildren;
  readonly #attempts: RemoteAttempts;
  readonly #closing = new AbortController();
  #id = "";
  #stream: RemoteStream | undefined;
  /** Ends the wait for a welcome. */
  #welcomed: PromiseWithResolvers<Welcome> | undefined;
  #beats: Timer | undefined;
  #isDraining = false;
  #isOver = false;
  /** Slots in use as the worker counts them. */
  #occupied = 0;
  /** Slots that the server counts as free already, since their attempts were over when the stream was opened. */
  #freedAhead = 0;
  #freed = 0;
  #onGoodbye: (() => void) | undefined;

  constructor(options: RemoteConnectionOptions, hello: WorkerHello, listener: WorkerListener) {
    this.#options = options;
    this.#hello = hello;
    this.#listener = listener;
    this.#lease = new RemoteLease(() => this.#lost("its lease has passed"));
    this.#reports = new RemoteReports((report) => this.#send({ case: "report", value: report }));
    this.#children = new RemoteChildren((message) => this.#send(message));
    this.#attempts = new RemoteAttempts({
      reports: this.#reports,
      listener,
      slotFreed: () => this.slotFreed(),
      failed: ({ name }, error) =>
        options.logger.warn({ err: error, operation: name }, "what was reported of an attempt was not taken"),
    });
  }

  get id(): string {
    return this.#id;
  }

  /** Opens the session. Rejects with a BelayError if the server cannot be reached, or does not take the worker. */
  async open(): Promise<void> {
    const askedMs = monotonicMs();
    const welcome = await this.#connect();
    this.#id = welcome.session;
    this.#lease.begin(fromDuration(welcome.lease), askedMs);
    this.#greeted(welcome);
  }

  report(report: WorkerReport): Promise<ReportOutcome> {
    const answered = this.#reports.report(report);
    answered.then(
      (outcome) => this.#attempts.reported(report, outcome),
      () => {}, // the caller's to see
    );
    return answered;
  }

  startChild(start: ChildStart): Promise<ChildState> {
    return this.#children.start(start);
  }

  waitChild(
    parent: AttemptKey,
    child: { service: string; name: string },
    timeoutMs: number,
  ): Promise<ChildState> {
    return this.#children.wait(parent, child, timeoutMs);
  }

  leaseEndMs(): number {
    return this.#lease.endMs;
  }

  slotFreed(): void {
    this.#occupied--;
    if (this.#freedAhead > 0) {
      this.#freedAhead--;
      return;
    }
    // Those of one turn go together.
    if (this.#freed++ === 0) queueMicrotask(() => this.#sendFreed());
  }

  drain(): void {
    this.#isDraining = true;
    this.#send({ case: "drain", value: create(DrainSchema) });
  }

  async close(): Promise<void> {
    if (this.#isOver) return;
    const answered = new Promise<void>((resolve) => {
      this.#onGoodbye = resolve;
    });
    const timer = startTimer(GOODBYE_MS, () => this.#onGoodbye?.());
    if (this.#send({ case: "goodbye", value: create(GoodbyeSchema) })) await answered;
    timer.cancel();
    this.#end();
  }

  /** Opens a stream, and resolves with the server's welcome. */
  async #connect(): Promise<Welcome> {
    const welcomed = Promise.withResolvers<Welcome>();
    const { server, token } = this.#options;
    const stream: RemoteStream = new RemoteStream({
      server,
      token,
      keepaliveMs: this.#lease.leaseMs / 3 || KEEPALIVE_MS,
      received: (message) => this.#received(message),
      ended: (error) => this.#ended(stream, error),
    });
    const timer = startTimer(WELCOME_MS, () => {
      stream.close();
      this.#ended(stream, null);
    });
    this.#welcomed = welcomed;
    this.#stream = stream;
    this.#lease.restart();
    const inHand = this.#attempts.keys;
    // What was freed on the way of a broken stream is told by what is not in hand any more.
    this.#freed = 0;
    this.#freedAhead = Math.max(0, this.#occupied - inHand.length);
    stream.send({ case: "hello", value: this.#helloMessage(inHand) });
    try {
      return await welcomed.promise;
    } catch (error) {
      stream.close();
      if (this.#stream === stream) this.#stream = undefined;
      throw error;
    } finally {
      timer.cancel();
      this.#welcomed = undefined;
    }
  }

  #helloMessage(inHand: readonly AttemptKey[]): Parameters<typeof create<typeof HelloSchema>>[1] & object {
    return helloMessage(this.#hello, {
      leaseMs: this.#options.leaseMs,
      session: this.#id,
      attempts: inHand.map(toWireAttempt),
    });
  }

  /** After the welcome on any stream: the heartbeats begin, and what was not answered is sent again. */
  #greeted({ heartbeatInterval, resumed, lost }: Welcome): void {
    const periodMs = fromDuration(heartbeatInterval);
    this.#beats?.cancel();
    this.#beats = startInterval(periodMs, () => this.#beat(periodMs), { unref: true });
    if (!resumed) return;
    this.#beat(periodMs);
    for (const attempt of lost) this.#attempts.revoked({ ...fromWireAttempt(attempt), reason: "lease-lost" });
    if (this.#isDraining) this.drain();
    this.#reports.resend();
    this.#children.resend();
  }

  #beat(periodMs: number): void {
    // A partition, or a server that hangs: another stream may get through.
    if (this.#lease.isUnansweredFor(periodMs)) {
      this.#broken(new BelayError("the server answers no heartbeats", { code: "UNAVAILABLE" }));
      return;
    }
    this.#send({ case: "heartbeat", value: create(HeartbeatSchema, { sequence: this.#lease.beat() }) });
  }

  #received(message: ServerMessage["message"]): void {
    switch (message.case) {
      case "welcome":
        this.#welcomed?.resolve(message.value);
        return;
      case "heartbeatReply":
        if (this.#lease.answered(message.value.sequence)) this.#listener.leaseRenewed?.();
        for (const cancel of message.value.cancels) this.#cancel(readCancel(cancel));
        return;
      case "ack":
        this.#reports.answered(message.value);
        return;
      case "assignment":
        this.#assigned(readAssignment(message.value, this.#hello));
        return;
      case "cancel":
        this.#cancel(readCancel(message.value));
        return;
      case "revoked": {
        const { attempt, cause, kill } = message.value;
        const reason = fromWireRevocation(cause);
        this.#attempts.revoked({ ...fromWireAttempt(attempt), reason, killMs: fromDuration(kill) });
        return;
      }
      case "child":
        this.#children.answered(message.value);
        return;
      case "drain":
        // The stream ends soon, and the session goes on at the server that comes after it: the work is left alone.
        this.#options.logger.info({ server: this.#options.server }, "the server is about to stop");
        return;
      case "sessionEnded":
        this.#sessionEnded(message.value.cause);
        return;
      default: // a newer server's
    }
  }

  #assigned(assignment: Assignment): void {
    if (this.#attempts.has(assignment)) return;
    this.#occupied++;
    if (this.#isDraining) {
      const { service, tenant, name, leaseToken } = assignment;
      const attempt = { service, tenant, name, leaseToken };
      void this.#reports
        .report({ type: "returned", attempt })
        .catch(() => {}) // its lease gives it back
        .then(() => this.slotFreed());
      return;
    }
    void this.#attempts.assigned(assignment);
  }

  #cancel(notice: CancelNotice): void {
    this.#attempts.cancelRequested(notice);
  }

  #sessionEnded(cause: SessionEnded_Cause): void {
    if (cause === SessionEnded_Cause.CLOSED) {
      this.#onGoodbye?.();
      return;
    }
    // The stream's place was taken, or the server starts over: the session itself lives.
    if (cause === SessionEnded_Cause.REPLACED) return;
    const why = cause === SessionEnded_Cause.EXPIRED ? "its lease has passed" : "the server knows it no more";
    this.#welcomed?.reject(new SessionGone(why));
    this.#lost(why);
  }

  #ended(stream: RemoteStream, error: BelayError | null): void {
    if (stream !== this.#stream) return;
    this.#broken(error ?? new BelayError("the server ended the stream", { code: "UNAVAILABLE" }));
  }

  /** The stream is of no use any more. */
  #broken(error: BelayError): void {
    this.#stream?.close();
    this.#stream = undefined;
    this.#beats?.cancel();
    this.#onGoodbye?.();
    if (this.#welcomed) this.#welcomed.reject(error);
    else if (!this.#isOver) void this.#reconnect(error);
  }

  /** Comes back with the session; the lease ends the tries. */
  async #reconnect(cause: BelayError): Promise<void> {
    const { logger, server } = this.#options;
    // What broke is not this program: the message says it, a stack would say where it was noticed.
    const because = cause.message;
    logger.warn({ because, server }, "the stream to the server broke; the session goes on within its lease");
    let saidMs = monotonicMs();
    for (let tries = 0; !this.#isOver; tries++) {
      const pauseMs =
        randomFraction() * Math.min(RECONNECT_MAX_MS, RECONNECT_MIN_MS * 2 ** Math.min(tries, 10));
      await delay(pauseMs, this.#closing.signal).catch(() => {});
      if (this.#isOver) return;
      try {
        const welcome = await this.#connect();
        logger.info({ server }, "the session goes on");
        this.#greeted(welcome);
        return;
      } catch (error) {
        if (error instanceof SessionGone) return;
        if (monotonicMs() - saidMs < AWAY_LOG_MS) continue;
        saidMs = monotonicMs();
        const because = error instanceof Error ? error.message : String(error);
        logger.warn({ because, server, tries: tries + 1 }, "the server cannot be reached");
      }
    }
  }

  #lost(why: string): void {
    if (this.#isOver) return;
    const isOpen = this.#id !== "";
    this.#end();
    if (isOpen) this.#listener.sessionLost?.(why);
  }

  #end(): void {
    this.#isOver = true;
    this.#closing.abort(new RpcError("LEASE_LOST"));
    this.#lease.stop();
    this.#beats?.cancel();
    this.#stream?.close();
    this.#stream = undefined;
    this.#attempts.close();
    this.#reports.close();
    this.#children.close();
  }

  #sendFreed(): void {
    const count = this.#freed;
    this.#freed = 0;
    if (count > 0) this.#send({ case: "slotsFreed", value: create(SlotsFreedSchema, { count }) });
  }

  /** False while there is no stream that was welcomed. */
  #send(message: WorkerMessageInit): boolean {
    if (!this.#stream || this.#welcomed) return false;
    this.#stream.send(message);
    return true;
  }
}
