// defineOperation: one way to declare work, whether it runs inline, in a thread or as a process.
import type { ResourceLimits } from "node:worker_threads";
import type { OperationAborted } from "../base/abort-reasons.ts";
import type { FieldViolation } from "../base/rpc-error.ts";
import type { JsonObject, RequestMessage } from "../protocol/worker-connection.ts";

/** What a handler may do beside its work. */
export interface OperationContext {
  /** The operation's name. */
  readonly name: string;
  readonly type: string;
  /** 1 for the first. */
  readonly attempt: number;
  readonly createdBy: string;
  /** The checkpoint that an earlier attempt left, or null. */
  readonly checkpointed: JsonObject | null;
  /** Aborts when the work must stop; `signal.reason` is an OperationAborted. */
  readonly signal: AbortSignal;
  /** Shows how far the work is: percent 0-100. Calls in quick succession are merged; the last one counts. */
  progress(percent: number, message?: string): void;
  /** Stores what is worth keeping of an unfinished run; resolves when it is durable. It is on the receipt of a cancel. */
  checkpoint(state: JsonObject): Promise<void>;
  log(message: string, fields?: JsonObject): void;
  /**
   * Runs what must not be interrupted. An abort that comes meanwhile is held back, and everybody who asks is told why
   * (`reason`, 1-256 characters), for at most the type's `criticalMs`; then it comes all the same, and so does one by
   * force. An abort that was held back fires when the last section ends, before the promise that `critical` answered
   * settles: look at `signal` after it. Sections may be nested and may overlap; they share the time.
   *
   * Rejects with `signal.reason`, and does not begin, once the signal is aborted; with a TypeError where the type has no
   * `criticalMs`.
   */
  critical<T>(reason: string, work: () => T | Promise<T>): Promise<T>;
  /**
   * Registers a step that runs if the handler throws, aborted or not: what it has begun is undone. The last one runs
   * first, all of them together within the type's `cleanupMs`; then the end is reported. After that time no other step
   * begins, and the end is not reported before the one that runs has ended (or its thread). They do not run when the
   * handler returns (its work stands, also after an abort), nor when it is stopped by force. Their errors are logged,
   * and are part of the operation's error. Throws a TypeError where the type has no `cleanupMs`.
   */
  onCleanup(step: () => void | Promise<void>): void;
  /**
   * Starts an operation as a child of this one. Rejects with a ChildRefused (`reason` PARENT_CLOSED once this operation
   * is cancelled), or with `signal.reason`.
   */
  start(type: string, options?: ChildOptions): Promise<ChildHandle>;
}

/** What a child starts with. */
export interface ChildOptions {
  payload?: JsonObject;
  /** Default: the parent's own. */
  service?: string;
  /**
   * What becomes of it when its parent is cancelled or ends. `cancel` (the default): it is cancelled, too, and a
   * cancelled parent ends after it. `wait`: it runs on, and a cancelled parent ends after it; needs `deadlineMs`.
   * `abandon`: it runs on.
   */
  policy?: "cancel" | "wait" | "abandon";
  /**
   * The same id within one parent names the same child: an attempt that runs again finds those that an earlier one
   * started. Default: each call starts another. 1-128 visible ASCII characters.
   */
  requestId?: string;
  /** True: a child of this `requestId` that another operation of the tenant started is joined. */
  shared?: boolean;
  labels?: Readonly<Record<string, string>>;
  description?: string;
  /** Milliseconds until its deadline. */
  deadlineMs?: number;
}

/** A child that was started. */
export interface ChildHandle {
  readonly name: string;
  /**
   * Its response, once it has succeeded ({} for an empty one). Rejects with a ChildFailed when it fails or is
   * cancelled, and with `signal.reason` as soon as this operation's own signal is aborted.
   */
  wait(): Promise<JsonObject>;
}

/**
 * The work itself: takes the payload, answers a JSON object (or nothing). Thrown errors fail the attempt; a
 * RetryableError lets it run again. Throw `ctx.signal.reason` (or let it pass) to say "stopped because of the abort".
 */
export type InlineHandler = (context: OperationContext, input: JsonObject) => Promise<JsonObject | undefined>;

/** Timing and retry of a type; every field has a default. Durations in milliseconds. */
export interface OperationOptions {
  /** false: CancelOperation answers UNIMPLEMENTED. Default true. */
  cancellable?: boolean;
  /** How long the handler may take by itself after the abort. Default 10,000; limits 0 - 600,000. */
  graceMs?: number;
  /** The longest critical section (`ctx.critical`) that may hold the abort back. Default 0: none may; limits 0 - 600,000. */
  criticalMs?: number;
  /** How long `ctx.onCleanup` may take after the handler stopped. Default 0: there is none; limits 0 - 600,000. */
  cleanupMs?: number;
  /** How long stopping by force may take. Default 5,000; limits 100 - 60,000. */
  killMs?: number;
  /** Default 1: at most once. Limits 1 - 100. */
  maxAttempts?: number;
  /** First retry delay, doubled each time. Default 1,000; limits 0 - 1 hour. */
  backoffMs?: number;
  /** Default 60,000; limits 0 - 1 day. */
  backoffMaxMs?: number;
  /** Default 1 hour; limits 100 ms - 7 days. */
  attemptTimeoutMs?: number;
  /** The longest time without progress or checkpoint. Default 0: no limit; limits 0 - 7 days. */
  stallTimeoutMs?: number;
  /** How long a done operation is kept. Default 30 days; limits 1 second - 3,650 days. */
  retentionMs?: number;
  /** What Delete of an unfinished operation does. Default "keep": hidden from clients, the work runs on. */
  onDelete?: "keep" | "cancel" | "refuse";
  /** How many may run at once for one service and tenant, on all workers. Default 0: no limit; limits 1 - 10,000. */
  typeLimit?: number;
  /** How many of one concurrency key may run at once. Default 0: no limit; limits 1 - 10,000. */
  keyLimit?: number;
  /** Cancelled when nobody has watched or waited for this long. Default 0: never; limits 1 second - 30 days. */
  unwatchedMs?: number;
}

/**
 * Says what is wrong with an input, before anything is started: each violation has the path of its field (`""` for the
 * input as a whole) and what is wrong with it; an empty list is none.
 */
export type StartCheck = (input: JsonObject) => readonly FieldViolation[];

/** What a definition of any kind may have beside its timing. */
export interface CheckedDefinition extends OperationOptions {
  /**
   * Called for every start of the type, after the caller's permission and before anything is stored, with what the
   * handler would get. Violations refuse the call with INVALID_ARGUMENT (reason INVALID_FIELD), all of them in its
   * BadRequest; an error that it throws is logged, and INTERNAL to the caller.
   *
   * It runs in the server's own process, and holds it up: it must be quick, answer at once (no promise), change nothing,
   * and load nothing heavy. A worker that is not part of the server's process has no check there, so a handler checks its
   * input, too: by calling the same function.
   */
  check?: StartCheck;
}

export interface InlineDefinition extends CheckedDefinition {
  type: string;
  kind?: "inline";
  /** Of a start method (defineMethod sets it): the message that its requests are, for a worker far from its server. */
  requestMessage?: RequestMessage;
}

/** The handler is the export `handler` of a module that runs in its own worker thread; it is terminated after the grace. */
export interface ThreadDefinition extends CheckedDefinition {
  type: string;
  kind: "thread";
  module: URL;
  /**
   * Memory limits of the thread, as worker_threads takes them; a thread that comes near them fails its attempt
   * (RESOURCE_EXHAUSTED). They are no sandbox: a thread that allocates very fast can still end the whole process.
   */
  resourceLimits?: ResourceLimits;
}

/**
 * A command, run without a shell in its own process group. It reads the payload as JSON from standard input.
 * Its response is `{ exitCode, stdout, stderr, stdoutBytes, stderrBytes }`: the last 64 KiB of each output and how
 * many bytes there were. An exit code other than 0 fails the operation (UNKNOWN, with the last line of standard
 * error); 75, EX_TEMPFAIL, lets it run again.
 * On descriptor 3 it may write JSON lines: `{"percent": 40, "message": "..."}`, `{"checkpoint": {...}}`, and
 * `{"critical": "why"}`, which holds SIGTERM back until `{"critical": null}`, for at most `criticalMs`. The descriptors
 * are sockets: write with `>&3`, not to `/dev/fd/3`.
 *
 * Cancel sends SIGTERM to the group and SIGKILL after the grace; an exit after SIGTERM counts as stopped, whatever its
 * code. When the command ends by itself, what it left in its group gets SIGTERM, and SIGKILL a second later.
 * A descendant that left the group and cleared its environment cannot be found if its parent is gone too.
 */
export interface ProcessDefinition extends CheckedDefinition {
  type: string;
  kind: "process";
  /** Program and arguments, or a function of the payload that answers them. */
  command: readonly [string, ...string[]] | ((input: JsonObject) => readonly [string, ...string[]]);
  cwd?: string;
  /**
   * Added to PATH, HOME and LANG of the worker, which are all that is passed on of its environment. BELAY_OPERATION
   * (the operation's name) and BELAY_ATTEMPT (unique to the attempt) are always set.
   */
  env?: Readonly<Record<string, string>>;
  /**
   * The command gets the worker's own standard input, output and error, so that a terminal stays one. It does not get the
   * payload, nothing is captured, and the response is `{ exitCode }`.
   */
  attached?: {
    /** Nothing of the command is left; this is how its leader ended. */
    exited(exit: { readonly code: number | null; readonly signal: string | null }): void;
  };
}

/** A declared operation type with its handler. */
export type OperationDefinition =
  | (InlineDefinition & { kind: "inline"; handler: InlineHandler })
  | ThreadDefinition
  | ProcessDefinition;

/** Thrown by a handler to say that another attempt may succeed. */
export class RetryableError extends Error {
  override name = "RetryableError";
}

/** The reason of `ctx.signal`. */
export type { OperationAborted };

/** Declares an operation type whose handler runs in the worker's own event loop. */
export function defineOperation(definition: InlineDefinition, handler: InlineHandler): OperationDefinition;
/** Declares an operation type that runs in a thread or as a process. */
export function defineOperation(definition: ThreadDefinition | ProcessDefinition): OperationDefinition;
export function defineOperation(
  definition: InlineDefinition | ThreadDefinition | ProcessDefinition,
  handler?: InlineHandler,
): OperationDefinition {
  if (!/^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*$/.test(definition.type) || definition.type.length > 63) {
    throw new TypeError(
      `operation type ${JSON.stringify(definition.type)} is not of the form word.word (at most 63 characters)`,
    );
  }
  if (definition.check !== undefined && typeof definition.check !== "function") {
    throw new TypeError(`operation type ${definition.type}: check is no function`);
  }
  if (definition.kind === "thread" || definition.kind === "process") return definition;
  if (!handler) throw new TypeError(`operation type ${definition.type} has no handler`);
  return { ...definition, kind: "inline", handler };
}
