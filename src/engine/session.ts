// One connected worker on the engine's side: its free slots, what it runs, what it was told.
import type { AcquireCommand, Command, CommandOutcome, OpenSessionCommand } from "./commands.ts";
import { keyText } from "./decision.ts";
import type { OperationKey, OperationRecord } from "./operation.ts";
import type { WorkerTransport } from "./worker-transport.ts";

/** The commands that a worker may send: all carry its session and lease token. */
export type FencedCommand = Extract<Command, { token: number }>;

interface Running {
  key: OperationKey;
  token: number;
  /** The grace end that the worker was last told, or null. */
  toldGraceEnd: number | null;
  /** A report that ends the attempt is under way: its end is no news to the worker. */
  ending: boolean;
}

const endingReports = new Set<FencedCommand["type"]>(["complete", "fail", "stopped", "release", "return"]);

/** A worker's session; made by the engine. */
export class Session {
  readonly id: string;
  readonly types: ReadonlySet<string>;
  readonly #options: Omit<OpenSessionCommand, "type">;
  readonly #transport: WorkerTransport;
  readonly #submit: (command: Command) => Promise<CommandOutcome>;
  readonly #running = new Map<string, Running>();
  /** Operations that ended unconfirmed, or whose attempt was taken away, while their work may still run here. */
  readonly #stuck = new Set<string>();
  #free: number;
  #draining = false;
  #acquiring = false;
  #mayHaveWork = true;

  constructor(
    options: Omit<OpenSessionCommand, "type">,
    transport: WorkerTransport,
    submit: (command: Command) => Promise<CommandOutcome>,
  ) {
    this.id = options.session;
    this.types = new Set(options.types);
    this.#options = options;
    this.#transport = transport;
    this.#submit = submit;
    this.#free = options.slots;
  }

  /** Sends a worker's report to the store. */
  async report(command: FencedCommand): Promise<CommandOutcome> {
    const running = this.#running.get(keyText(command.key));
    if (running?.token === command.token && endingReports.has(command.type)) running.ending = true;
    try {
      return await this.#submit(command);
    } catch (error) {
      if (running) running.ending = false;
      throw error;
    }
  }

  slotFreed(): void {
    this.#free++;
    this.workMayBeReady();
  }

  drain(): void {
    this.#draining = true;
  }

  /** Asks the store for work if there are free slots; called whenever some may be there. */
  workMayBeReady(): void {
    this.#mayHaveWork = true;
    if (!this.#acquiring) void this.#acquire();
  }

  /**
   * Follows a committed change of an operation. `held` operations keep the session from new work until their stuck
   * handler is gone (G2); its other work goes on.
   */
  operationChanged(record: OperationRecord): void {
    const text = keyText(record);
    const isHeld = record.held?.session === this.id;
    // Cancelled while it was held: still the same handler, waited for under its old lease.
    const isAwaited = record.state === "CANCELLING" && record.lease?.session === this.id;
    if (isHeld) this.#stuck.add(text);
    else if (!isAwaited && this.#stuck.delete(text)) this.workMayBeReady();
    const running = this.#running.get(text);
    if (!running) return;
    const { lease, cancel } = record;
    if (lease?.session !== this.id || lease.token !== running.token) {
      this.#running.delete(text);
      // Unconfirmed: it was told of the cancel and of its deadline.
      const told = running.ending || (isHeld && record.cancel !== null);
      if (!told) this.#transport.revoked(running.key, running.token, record);
      return;
    }
    if (record.state !== "CANCELLING" || cancel === null) return;
    if (running.toldGraceEnd !== null && running.toldGraceEnd <= cancel.graceEndTime) return;
    running.toldGraceEnd = cancel.graceEndTime;
    this.#transport.cancelRequested(record, running.token, cancel);
  }

  async #acquire(): Promise<void> {
    this.#acquiring = true;
    try {
      while (this.#mayHaveWork && this.#free > 0 && !this.#draining && this.#stuck.size === 0) {
        this.#mayHaveWork = false;
        const limit = this.#free;
        this.#free = 0; // slots that are freed meanwhile count from here
        const granted = await this.#acquireUpTo(limit);
        this.#free += limit - granted;
        if (granted === limit) this.#mayHaveWork = true;
      }
    } finally {
      this.#acquiring = false;
    }
  }

  async #acquireUpTo(limit: number): Promise<number> {
    const { id: session, types } = this;
    const { guarded } = this.#options;
    const command: AcquireCommand = {
      type: "acquire",
      session,
      types: [...types],
      limit,
      guarded,
      begin: true,
    };
    try {
      const outcome = await this.#submit(command);
      return outcome.type === "granted" ? outcome.grants.length : 0;
    } catch {
      return 0; // the store is full or failing; the engine's backstop asks again
    }
  }

  /**
   * Takes over what an acquire granted. Runs with the commit, before any outcome is handed out: a cancel that is
   * committed in the very next batch must already find the attempt here, or its push would be lost.
   */
  granted(outcome: Extract<CommandOutcome, { type: "granted" }>): void {
    for (const grant of outcome.grants) {
      const { record } = grant;
      const { service, tenant, name, leaseToken } = record;
      const key = { service, tenant, name };
      this.#running.set(keyText(key), { key, token: leaseToken, toldGraceEnd: null, ending: false });
      this.#transport.granted(grant);
    }
  }
}
