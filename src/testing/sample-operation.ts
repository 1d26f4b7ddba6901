// The operation, policies and commands that the engine's tests speak of. Times are in short units of 1 ms, so that a
// search meets every timer within a few steps.
import type { Instant } from "../base/clock.ts";
import { StatusCode } from "../base/status-code.ts";
import type {
  CancelCommand,
  CancelPhaseCommand,
  CompleteCommand,
  FailCommand,
  OperationCommand,
  StartCommand,
  StoppedCommand,
} from "../engine/commands.ts";
import type { OperationKey, OperationPolicy, Payload } from "../engine/operation.ts";

/** One unit of the tests' time: 1 ms. */
export const UNIT: Instant = 1000;

/** When the tests' time begins. */
export const EPOCH: Instant = 1_000_000_000;

export function sampleKey(name = "a"): OperationKey {
  return { service: "default", tenant: "default", name: `operations/${name}` };
}

export function payload(text: string): Payload {
  return {
    typeUrl: "type.googleapis.com/google.protobuf.StringValue",
    bytes: new TextEncoder().encode(text),
  };
}

/** What a test may set of a policy; the rest has the values that the searches use. */
export interface PolicyChoice extends Partial<Omit<OperationPolicy, "cancel">> {
  cancellable?: boolean;
  graceMs?: number;
  criticalMs?: number;
}

/** 1 unit of backoff, then 2; stall after 2 units, attempt timeout after 3; grace of 1, cancel deadline after 2. */
export function samplePolicy(choice: PolicyChoice = {}): OperationPolicy {
  const { cancellable = true, graceMs = 1, criticalMs = 0, ...rest } = choice;
  return {
    cancel: { cancellable, graceMs, criticalMs, cleanupMs: 0, killMs: 1 },
    maxAttempts: 2,
    backoffMs: 1,
    backoffMaxMs: 2,
    attemptTimeoutMs: 3,
    stallTimeoutMs: 2,
    retentionMs: 10,
    onDelete: "keep",
    typeLimit: 0,
    keyLimit: 0,
    unwatchedMs: 0,
    ...rest,
  };
}

/** What a test may say of a start, beside its policy. */
export interface StartChoice
  extends PolicyChoice,
    Partial<
      Pick<
        StartCommand,
        | "deadline"
        | "concurrencyKey"
        | "supersedeKey"
        | "parentAttempt"
        | "shared"
        | "requestKey"
        | "priority"
      >
    > {
  name?: string;
}

export function startCommand(choice: StartChoice = {}): StartCommand {
  const { name = "a", deadline = null, concurrencyKey = "", supersedeKey = "", ...more } = choice;
  const { parentAttempt = null, shared = false, requestKey = null, priority = 0, ...policy } = more;
  return {
    type: "start",
    key: sampleKey(name),
    id: name,
    parent: "",
    operationType: "test.work",
    createdBy: "alice",
    origin: "native/grpc",
    description: "",
    labels: {},
    policy: samplePolicy(policy),
    startAfter: 0,
    deadline,
    priority,
    concurrencyKey,
    supersedeKey,
    rerunOf: "",
    parentAttempt,
    shared,
    request: payload("request"),
    metadata: null,
    requestKey,
  };
}

/** Who reports: a session with a lease token. */
export interface Holder {
  session: string;
  token: number;
}

export function completeCommand(holder: Holder, digest = "done", name = "a"): CompleteCommand {
  return { type: "complete", key: sampleKey(name), ...holder, response: payload(digest), digest };
}

export function failCommand(
  holder: Holder,
  choice: Partial<Pick<FailCommand, "retryable" | "abortCaused" | "digest">> & {
    code?: number;
    name?: string;
  } = {},
): FailCommand {
  const { code = StatusCode.INTERNAL, name = "a", ...rest } = choice;
  return {
    type: "fail",
    key: sampleKey(name),
    ...holder,
    error: { code, message: "it broke", details: [] },
    retryable: false,
    abortCaused: false,
    evidence: "HANDLER_STOPPED",
    mechanism: "SIGNAL",
    digest: `error ${code}`,
    ...rest,
  };
}

export function stoppedCommand(
  holder: Holder,
  evidence: StoppedCommand["evidence"] = "HANDLER_STOPPED",
  name = "a",
): StoppedCommand {
  const mechanisms = {
    HANDLER_STOPPED: "SIGNAL",
    THREAD_TERMINATED: "TERMINATE",
    PROCESS_EXITED: "SIGKILL",
  } as const;
  const mechanism = evidence in mechanisms ? mechanisms[evidence as keyof typeof mechanisms] : "NONE";
  return { type: "stopped", key: sampleKey(name), ...holder, evidence, mechanism };
}

export function cancelCommand(
  choice: Partial<Pick<CancelCommand, "graceMs" | "includeDeleted" | "force" | "ifRevision">> & {
    name?: string;
  } = {},
): CancelCommand {
  const { graceMs = null, includeDeleted = false, force = false, ifRevision = null, name = "a" } = choice;
  return {
    type: "cancel",
    key: sampleKey(name),
    cause: "cancel",
    requestedBy: "bob",
    onBehalfOf: "",
    requestId: "request-1",
    force,
    ifRevision,
    reason: "no longer needed",
    origin: "google/grpc",
    graceMs,
    includeDeleted,
  };
}

/** The short commands of a worker, of time and of a client that need no choice. */
export const simple = {
  begin: (holder: Holder, name = "a"): OperationCommand => ({
    type: "begin",
    key: sampleKey(name),
    ...holder,
  }),
  giveBack: (holder: Holder, name = "a"): OperationCommand => ({
    type: "return",
    key: sampleKey(name),
    ...holder,
  }),
  release: (holder: Holder, name = "a"): OperationCommand => ({
    type: "release",
    key: sampleKey(name),
    ...holder,
  }),
  progress: (holder: Holder, percent = 50, name = "a"): OperationCommand => ({
    type: "progress",
    key: sampleKey(name),
    ...holder,
    progress: { percent, message: "working" },
  }),
  checkpoint: (holder: Holder, name = "a"): OperationCommand => ({
    type: "checkpoint",
    key: sampleKey(name),
    ...holder,
    checkpoint: payload("checkpoint"),
  }),
  phase: (
    holder: Holder,
    phase: CancelPhaseCommand["phase"] = "DELIVERED",
    name = "a",
  ): CancelPhaseCommand => ({
    type: "cancelPhase",
    key: sampleKey(name),
    ...holder,
    phase,
    detail: phase === "DEFERRED" ? "commit" : "",
  }),
  assign: (session: string, options: { guarded: boolean; begin: boolean }, name = "a"): OperationCommand => ({
    type: "assign",
    key: sampleKey(name),
    session,
    ...options,
  }),
  expire: (session: string, survived = false, name = "a"): OperationCommand => ({
    type: "expireLease",
    key: sampleKey(name),
    session,
    survived,
  }),
  remove: (name = "a"): OperationCommand => ({
    type: "delete",
    key: sampleKey(name),
    requestedBy: "bob",
    origin: "google/grpc",
  }),
  override: (name = "a"): OperationCommand => ({
    type: "override",
    key: sampleKey(name),
    requestedBy: "carol",
    onBehalfOf: "",
    requestId: "request-2",
    reason: "the machine is gone",
    origin: "native/grpc",
  }),
  watched: (name = "a"): OperationCommand => ({ type: "watched", key: sampleKey(name) }),
  tick: (name = "a"): OperationCommand => ({ type: "tick", key: sampleKey(name) }),
} as const;
