// For the examples' tests: a real worker for their operations, with a hand-written server end that gives it one
// operation, writes down what it reports, and lets a test say how its children end. Only the package's public subpath is used, as in a project of one's own.
import { EventEmitter, once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createWorker,
  type JsonObject,
  type OperationDefinition,
  policyOf,
  type WorkerConnection,
} from "belayd/worker";
import { pino } from "pino";

type Listener = Parameters<WorkerConnection["open"]>[1];
type Session = Awaited<ReturnType<WorkerConnection["open"]>>;
type Assignment = Parameters<Listener["assigned"]>[0];
type ChildStart = Parameters<Session["startChild"]>[0];
type ChildState = Awaited<ReturnType<Session["startChild"]>>;

/** What a worker says. */
export type Report = Parameters<Session["report"]>[0];

const ends: readonly Report["type"][] = ["complete", "fail", "stopped", "release"];

/** A worker with one operation. Dispose of it. */
export class ExampleRun implements AsyncDisposable {
  readonly reports: Report[] = [];
  /** The children that were started, in their order. */
  readonly children: ChildStart[] = [];
  readonly #childEnds: PromiseWithResolvers<ChildState>[] = [];
  readonly #news = new EventEmitter();
  readonly #key = { service: "default", tenant: "default", name: "operations/example", leaseToken: 1 };
  #listener: Listener | undefined;
  #close: () => Promise<void> = async () => {};

  /** Starts an operation of one of the types. */
  async start(
    operations: readonly OperationDefinition[],
    rest: Pick<Assignment, "type" | "input">,
  ): Promise<void> {
    const processFolder = await mkdtemp(join(tmpdir(), "belay-example-"));
    const worker = createWorker({
      connection: { open: async (_hello, listener) => this.#open(listener) },
      handlers: operations,
      processFolder,
      logger: pino({ level: "silent" }),
    });
    this.#close = async () => {
      await worker.close();
      await rm(processFolder, { recursive: true });
    };
    await worker.start();
    const definition = operations.find(({ type }) => type === rest.type);
    if (!definition) throw new TypeError(`there is no type ${rest.type}`);
    const { criticalMs, cleanupMs } = policyOf(definition).cancel;
    const cancel = { graceMs: 10_000, criticalMs, cleanupMs, killMs: 2_000 };
    const limits = { deadlineMs: null, attemptTimeoutMs: 60_000, ...cancel };
    const attempt = { attempt: 1, maxAttempts: 1, createdBy: "test", checkpoint: null };
    this.#listener?.assigned({ ...this.#key, ...attempt, ...limits, ...rest });
  }

  cancel(graceMs: number): void {
    const why = { cause: "cancel", reason: "enough", requestedBy: "test", force: false } as const;
    this.#listener?.cancelRequested({ ...this.#key, ...why, graceMs, deadlineMs: graceMs + 2_000 });
  }

  /** The child of this place in the order of starts has succeeded with a response, or failed. */
  childEnds(index: number, end: Pick<ChildState, "response" | "error">): void {
    this.#childEnds[index]?.resolve({ name: `operations/child-${index}`, done: true, ...end });
  }

  /** Resolves when so many children were started. */
  async started(count: number): Promise<void> {
    while (this.children.length < count) await once(this.#news, "child");
  }

  /** The first report of a type that is wanted, come or to come. */
  async reported<T extends Report["type"]>(
    type: T,
    isWanted: (report: Extract<Report, { type: T }>) => boolean = () => true,
  ): Promise<Extract<Report, { type: T }>> {
    const isOfType = (report: Report): report is Extract<Report, { type: T }> => report.type === type;
    for (;;) {
      const found = this.reports.filter(isOfType).find(isWanted);
      if (found) return found;
      const end = this.reports.find((report) => ends.includes(report.type));
      if (end) throw new Error(`ended without ${type}: ${JSON.stringify(end)}`);
      await once(this.#news, "report");
    }
  }

  /** The last checkpoint so far. */
  get checkpoint(): JsonObject | undefined {
    return this.reports.findLast((report) => report.type === "checkpoint")?.checkpoint;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  #open(listener: Listener): Session {
    this.#listener = listener;
    return {
      id: "session",
      leaseEndMs: () => Number.POSITIVE_INFINITY,
      startChild: async (start) => {
        const name = `operations/child-${this.children.length}`;
        this.children.push(start);
        this.#childEnds.push(Promise.withResolvers());
        this.#news.emit("child");
        return { name, done: false, response: null, error: null };
      },
      waitChild: async (_parent, { name }) => {
        const end = this.#childEnds[Number(name.slice(name.lastIndexOf("-") + 1))];
        if (!end) throw new Error(`there is no child ${name}`);
        return await end.promise;
      },
      report: async (report) => {
        this.reports.push(report);
        this.#news.emit("report");
        return "accepted";
      },
      slotFreed: () => {},
      drain: () => {},
      close: async () => {},
    };
  }
}
