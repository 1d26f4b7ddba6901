// RpcError: what a caller gets. Reasons come only from the table in error-reasons.ts.
import { type ErrorReason, errorReasons } from "./error-reasons.ts";
import { StatusCode } from "./status-code.ts";

/** The dynamic parts of a message, repeated in ErrorInfo.metadata. */
export type ErrorParameters = Readonly<Record<string, string | number>>;

/** One entry of google.rpc.BadRequest. */
export interface FieldViolation {
  field: string;
  description: string;
}

export interface RpcErrorOptions {
  fieldViolations?: readonly FieldViolation[];
  /** Sent as google.rpc.RetryInfo, and as Retry-After on REST. */
  retryDelayMs?: number;
  cause?: unknown;
}

function format(template: string, parameters: ErrorParameters): string {
  return template.replace(/\{(\w+)\}/g, (_, key: string) => String(parameters[key] ?? ""));
}

/** An error for the caller: a row of the table with its parameters filled in. */
export class RpcError extends Error {
  override name = "RpcError";
  readonly reason: ErrorReason;
  readonly code: StatusCode;
  readonly parameters: ErrorParameters;
  readonly fieldViolations: readonly FieldViolation[];
  readonly retryDelayMs: number | undefined;

  constructor(reason: ErrorReason, parameters: ErrorParameters = {}, options: RpcErrorOptions = {}) {
    super(format(errorReasons[reason].message, parameters), { cause: options.cause });
    this.reason = reason;
    this.code = errorReasons[reason].code;
    this.parameters = parameters;
    this.fieldViolations = options.fieldViolations ?? [];
    this.retryDelayMs = options.retryDelayMs;
  }

  /**
   * Turns anything thrown into an RpcError: an RpcError stays, all else becomes INTERNAL_ERROR without its text
   * (the text may hold SQL, paths or tokens); the original is kept as `cause` for the log.
   */
  static from(error: unknown, requestId: string): RpcError {
    if (error instanceof RpcError) return error;
    return new RpcError("INTERNAL_ERROR", { requestId }, { cause: error });
  }

  /** True for errors that are ours to repair: they are logged with their cause. */
  get isInternal(): boolean {
    return this.code === StatusCode.INTERNAL;
  }
}

/** A field error: INVALID_FIELD with one BadRequest violation. */
export function invalidField(field: string, problem: string): RpcError {
  return new RpcError(
    "INVALID_FIELD",
    { field, problem },
    { fieldViolations: [{ field, description: problem }] },
  );
}
