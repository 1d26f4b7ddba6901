// BelayError: what a call of the client rejects with. Loads nothing else, so that who only tests for it stays light.
import type { StatusCodeName } from "../base/status-code.ts";

export interface BelayErrorFields {
  code: StatusCodeName;
  reason?: string;
  metadata?: Readonly<Record<string, string>>;
  retryDelayMs?: number | undefined;
  cause?: unknown;
}

/** An error that the server answered, or that kept a call from reaching it. */
export class BelayError extends Error {
  override name = "BelayError";
  /** The name of the google.rpc.Code, for instance `NOT_FOUND`. */
  readonly code: StatusCodeName;
  /** The ErrorInfo reason, for instance `OPERATION_NOT_FOUND`; "" when no Belay server answered. */
  readonly reason: string;
  /** The dynamic parts of the message. */
  readonly metadata: Readonly<Record<string, string>>;
  /** When the server says that the call may be sent again, in milliseconds; undefined where it says nothing. */
  readonly retryDelayMs: number | undefined;

  constructor(message: string, fields: BelayErrorFields) {
    super(message, { cause: fields.cause });
    this.code = fields.code;
    this.reason = fields.reason ?? "";
    this.metadata = fields.metadata ?? {};
    this.retryDelayMs = fields.retryDelayMs;
  }

  /** True if no answer came: nothing listens, the connection broke, the server is stopping or hangs. */
  get isUnreachable(): boolean {
    return this.code === "UNAVAILABLE" || (this.code === "DEADLINE_EXCEEDED" && this.reason === "");
  }
}
