// The server's end of a WorkerConnection for tests: hands out assignments by hand, writes down what the worker says,
// and answers as it is told to. It is a peer that speaks the protocol, not a stand-in for any part of the worker.
import { monotonicMs } from "../base/clock.ts";
import { RpcError } from "../base/rpc-error.ts";
import type {
  Assignment,
  CancelNotice,
  ChildStart,
  ChildState,
  JsonObject,
  ReportOutcome,
  RevokeNotice,
  WorkerConnection,
  WorkerHello,
  WorkerListener,
  WorkerReport,
  WorkerSession,
} from "../protocol/worker-connection.ts";
import { eventually } from "./eventually.ts";

const endings: readonly WorkerReport["type"][] = ["complete", "fail", "stopped", "release"];

/** What a worker asks about a child. */
export type ChildAsked =
  | { type: "start"; start: ChildStart }
  | { type: "wait"; service: string; name: string };

/** A connection for one worker. */
export class RecordingConnection implements WorkerConnection {
  /** Everything that was reported and answered, in order. */
  readonly reports: WorkerReport[] = [];
  hello: WorkerHello | undefined;
  slotsFreed = 0;
  isDraining = false;
  isClosed = false;
  /** Sessions opened so far. */
  opened = 0;
  /** Set it before the worker starts: its sessions then have a lease. */
  hasLease = false;
  /** The end of the lease on the worker's monotonic clock; `renewLease` moves it. */
  leaseEndMs: number = Number.POSITIVE_INFINITY;
  /** Answers a start, and a wait, of a child; may throw. */
  answerChild: (asked: ChildAsked) => ChildState | Promise<ChildState> = () => {
    throw new RpcError("OPERATION_TYPE_UNKNOWN", { type: "any", known: "" });
  };
  /** Answers a report; may throw, as a server does that cannot say. Default: accepted. */
  answer: (report: WorkerReport) => ReportOutcome | Promise<ReportOutcome> = () => "accepted";
  #listener: WorkerListener | undefined;
  #assigned = 0;

  async open(hello: WorkerHello, listener: WorkerListener): Promise<WorkerSession> {
    this.hello = hello;
    this.#listener = listener;
    this.opened++;
    return {
      id: "session",
      leaseEndMs: () => this.leaseEndMs,
      startChild: async (start) => await this.answerChild({ type: "start", start }),
      waitChild: async (_parent, child) => await this.answerChild({ type: "wait", ...child }),
      report: async (report) => {
        const outcome = await this.answer(report);
        this.reports.push(report);
        return outcome;
      },
      slotFreed: () => {
        this.slotsFreed++;
      },
      drain: () => {
        this.isDraining = true;
      },
      close: async () => {
        this.isClosed = true;
      },
    };
  }

  /** Assigns an operation of a type; the rest is filled in. */
  assign(type: string, input: JsonObject = {}, rest: Partial<Assignment> = {}): Assignment {
    const number = ++this.#assigned;
    const assignment: Assignment = {
      service: "default",
      tenant: "default",
      name: `operations/${number}`,
      leaseToken: number,
      type,
      attempt: 1,
      maxAttempts: 1,
      createdBy: "",
      input,
      checkpoint: null,
      deadlineMs: null,
      attemptTimeoutMs: 60_000,
      graceMs: 10_000,
      criticalMs: 0,
      cleanupMs: 0,
      killMs: 2_000,
      ...rest,
    };
    this.#listener?.assigned(assignment);
    return assignment;
  }

  /** Cancels an assignment: cause "cancel", grace 10 s, unless `rest` says otherwise. */
  cancel(assignment: Assignment, rest: Partial<CancelNotice> = {}): void {
    const { service, tenant, name, leaseToken, killMs } = assignment;
    const { graceMs = assignment.graceMs } = rest;
    const deadlineMs = graceMs + assignment.criticalMs + assignment.cleanupMs + killMs;
    const key = { service, tenant, name, leaseToken };
    const notice: CancelNotice = {
      ...key,
      cause: "cancel",
      reason: "",
      requestedBy: "",
      force: false,
      graceMs,
      deadlineMs,
      ...rest,
    };
    this.#listener?.cancelRequested(notice);
  }

  revoke(assignment: Assignment, rest: Partial<RevokeNotice> = {}): void {
    const { service, tenant, name, leaseToken, killMs } = assignment;
    this.#listener?.revoked({ service, tenant, name, leaseToken, reason: "lease-lost", killMs, ...rest });
  }

  /** A heartbeat was answered: the lease lasts `leaseMs` from now. */
  renewLease(leaseMs: number): void {
    this.leaseEndMs = monotonicMs() + leaseMs;
    this.#listener?.leaseRenewed?.();
  }

  /** The server says that the session is over. */
  loseSession(why: string): void {
    this.#listener?.sessionLost?.(why);
  }

  /** The server is about to stop. */
  requestDrain(): void {
    this.#listener?.drainRequested?.();
  }

  /** The reports of one type for an assignment, so far. */
  reportsOf<T extends WorkerReport["type"]>(
    assignment: Assignment,
    type: T,
  ): Extract<WorkerReport, { type: T }>[] {
    return this.#about(assignment).filter(
      (report): report is Extract<WorkerReport, { type: T }> => report.type === type,
    );
  }

  /** The cancel phases that were reported of an assignment, so far, with whatever report. */
  phasesOf(assignment: Assignment): string[] {
    return this.#about(assignment).flatMap((report) => {
      const steps = "steps" in report && report.steps ? report.steps : [];
      const told = report.type === "cancelPhase" ? [...steps, report] : steps;
      return told.map(({ phase }) => phase);
    });
  }

  /** True if the end of an assignment was reported. */
  hasEnded(assignment: Assignment): boolean {
    return this.#about(assignment).some((report) => endings.includes(report.type));
  }

  /** The report that ends an assignment, once it comes. */
  async endOf(assignment: Assignment): Promise<WorkerReport> {
    return await eventually(`the end of ${assignment.name} is reported`, () => {
      const end = this.#about(assignment).find((report) => endings.includes(report.type));
      if (!end) throw new Error(`reported so far: ${JSON.stringify(this.#about(assignment))}`);
      return end;
    });
  }

  #about(assignment: Assignment): WorkerReport[] {
    return this.reports.filter(({ attempt: { name, leaseToken } }) => {
      return name === assignment.name && leaseToken === assignment.leaseToken;
    });
  }
}
