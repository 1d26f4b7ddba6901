// The server's end of a WorkerConnection for tests: hands out assignments by hand, writes down what the worker says,
// and answers as it is told to. It is a peer that speaks the protocol, not a stand-in for any part of the worker.
import type {
  Assignment,
  CancelNotice,
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

/** A connection for one worker. */
export class RecordingConnection implements WorkerConnection {
  /** Everything that was reported and answered, in order. */
  readonly reports: WorkerReport[] = [];
  hello: WorkerHello | undefined;
  slotsFreed = 0;
  isDraining = false;
  isClosed = false;
  /** Answers a report; may throw, as a server does that cannot say. Default: accepted. */
  answer: (report: WorkerReport) => ReportOutcome | Promise<ReportOutcome> = () => "accepted";
  #listener: WorkerListener | undefined;
  #assigned = 0;

  async open(hello: WorkerHello, listener: WorkerListener): Promise<WorkerSession> {
    this.hello = hello;
    this.#listener = listener;
    return {
      id: "session",
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
      killMs: 2_000,
      ...rest,
    };
    this.#listener?.assigned(assignment);
    return assignment;
  }

  /** Cancels an assignment: cause "cancel", grace 10 s, unless `rest` says otherwise. */
  cancel(assignment: Assignment, rest: Partial<CancelNotice> = {}): void {
    const { service, tenant, name, leaseToken, killMs } = assignment;
    const graceMs = rest.graceMs ?? 10_000;
    const deadlineMs = graceMs + killMs;
    const key = { service, tenant, name, leaseToken };
    const notice: CancelNotice = {
      ...key,
      cause: "cancel",
      reason: "",
      requestedBy: "",
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

  /** The reports of one type for an assignment, so far. */
  reportsOf<T extends WorkerReport["type"]>(
    assignment: Assignment,
    type: T,
  ): Extract<WorkerReport, { type: T }>[] {
    return this.#about(assignment).filter(
      (report): report is Extract<WorkerReport, { type: T }> => report.type === type,
    );
  }

  /** The cancel phases that were reported of an assignment, so far. */
  phasesOf(assignment: Assignment): string[] {
    return this.reportsOf(assignment, "cancelPhase").map((report) => report.phase);
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
