// Why a handler's signal fired. `signal.reason` is always one of these.

/** What aborted an attempt. */
export type AbortCause = "cancel" | "deadline" | "parent" | "lease-lost" | "shutdown";

/** The typed reason of a handler's AbortSignal. Throw it, or let it pass, to say "I stopped because of it". */
export class OperationAborted extends Error {
  override name = "AbortError";
  readonly kind: AbortCause;
  /** The text that the caller of cancel gave, or "". */
  readonly reason: string;
  /** Who asked, or "". */
  readonly requestedBy: string;
  /** How long the handler may still take, in milliseconds from the abort. */
  readonly graceMs: number;
  /** It is stopped by force at once: there is no grace. */
  readonly force: boolean;

  constructor(abort: {
    cause: AbortCause;
    reason?: string;
    requestedBy?: string;
    graceMs?: number;
    force?: boolean;
  }) {
    // Without a stack: it would tell of Belay and not of the handler, and took half the time of 10,000 aborts.
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(messages[abort.cause] + (abort.reason ? `: ${abort.reason}` : ""));
    Error.stackTraceLimit = limit;
    this.kind = abort.cause;
    this.reason = abort.reason ?? "";
    this.requestedBy = abort.requestedBy ?? "";
    this.graceMs = abort.graceMs ?? 0;
    this.force = abort.force ?? false;
  }
}

const messages: Record<AbortCause, string> = {
  cancel: "the operation was cancelled",
  deadline: "the operation's deadline has passed",
  parent: "the operation's parent was cancelled or has ended",
  "lease-lost": "the worker lost its lease of the operation",
  shutdown: "the worker is shutting down",
};

/** How far a cause chain is followed; longer chains are somebody's loop. */
const CHAIN_MAX = 16;

/** True if the error is this abort reason, or carries it along its cause chain (`new DOMException(..., { cause })`). */
export function isCausedBy(error: unknown, reason: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < CHAIN_MAX; depth++) {
    if (current === reason) return true;
    if (!(current instanceof Error)) return false;
    current = current.cause;
  }
  return false;
}
