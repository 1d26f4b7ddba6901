// The session of a worker in the server itself (cancels of many, stand-ins): opened, opened anew when it was lost, and what is
// reported in it. What the worker runs is its own matter.
import type { Logger } from "../../base/logger.ts";
import { RpcError } from "../../base/rpc-error.ts";
import { delay } from "../../base/timers.ts";
import type { CommandOutcome } from "../../engine/commands.ts";
import type { Engine } from "../../engine/engine.ts";
import type { FencedCommand, HeldAttempt, Session } from "../../engine/session.ts";
import type { WorkerTransport } from "../../engine/worker-transport.ts";

/** Between two tries to open a session. */
const RETRY_MS = 500;

/** The body of a fenced report, without what names the attempt. */
export type ReportBody = FencedCommand extends infer Command
  ? Command extends FencedCommand
    ? Omit<Command, "key" | "session" | "token">
    : never
  : never;

interface ServerSessionOptions {
  engine: Engine;
  logger: Logger;
  transport: WorkerTransport;
  /** The operation type that it takes. */
  type: string;
  slots: number;
  /** True if nothing that it runs outlives this process. */
  guarded: boolean;
}

export class ServerSession {
  readonly #options: ServerSessionOptions;
  readonly #stopping = new AbortController();
  #session: Promise<Session | null> = Promise.resolve(null);

  constructor(options: ServerSessionOptions) {
    this.#options = options;
  }

  /** The session, or the one that is being opened; null when there will be none any more. */
  get current(): Promise<Session | null> {
    return this.#session;
  }

  /** Aborted once `stop` was called. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  async open(): Promise<void> {
    this.#session = this.#open();
    await this.#session;
  }

  /** It was lost: there is another one, as soon as the store takes it. */
  reopen(): void {
    this.#session = this.#openPersistently();
  }

  /** It gets no new work from now on, and is not opened again. Answers it for the one who closes it; null if there is none. */
  async stop(): Promise<Session | null> {
    this.#stopping.abort();
    const session = await this.#session.catch(() => null);
    session?.drain();
    return session;
  }

  /** Reports on an attempt that `opened` was granted. Throws LEASE_LOST if there is no session, and what the store throws. */
  async report(
    opened: Promise<Session | null>,
    { key, token }: HeldAttempt,
    body: ReportBody,
  ): Promise<CommandOutcome> {
    const session = await opened;
    if (session === null) throw new RpcError("LEASE_LOST", {});
    return session.report({ ...body, key, session: session.id, token } as FencedCommand);
  }

  #open(): Promise<Session> {
    const { engine, transport, type, slots, guarded } = this.#options;
    const facts = { worker: "server", build: "", principal: "", bootId: "", leaseMs: 0 };
    return engine.openSession({ ...facts, kind: "embedded", types: [type], slots, guarded }, transport);
  }

  async #openPersistently(): Promise<Session | null> {
    while (!this.stopping.aborted) {
      try {
        return await this.#open();
      } catch (error) {
        const { logger, type } = this.#options;
        logger.warn({ err: error, type }, "the server's own worker has no session yet");
        await delay(RETRY_MS, this.stopping).catch(() => undefined);
      }
    }
    return null;
  }
}
