// Children as a handler sees them: started, and waited for. The session's calls are the attempt's (attempt-children.ts).
import { StatusCode } from "../base/status-code.ts";
import { checkJsonLimits, payloadLimits } from "../protocol/json-limits.ts";
import type { ChildState, JsonObject, ReportedError } from "../protocol/worker-connection.ts";
import type { ChildHandle, ChildOptions } from "./define-operation.ts";
import type { ChildOrder, RunRequests } from "./runner.ts";

/**
 * A child ended without a response: it failed, or was cancelled. `code` is its google.rpc code, so that a handler that
 * lets the error pass fails with the same one; a cancelled child (code 1) fails its parent as UNKNOWN, since only the
 * server says that an operation was cancelled.
 */
export class ChildFailed extends Error {
  override name = "ChildFailed";
  /** The child's name. */
  readonly child: string;
  readonly code: number;

  constructor(child: string, error: ReportedError) {
    super(`child ${child}: ${error.message}`);
    this.child = child;
    this.code = error.code;
  }
}

/** The server does not start a child, or does not tell of it. */
export class ChildRefused extends Error {
  override name = "ChildRefused";
  readonly code: number;
  /** The ErrorInfo reason, for instance PARENT_CLOSED; "" if there is none. */
  readonly reason: string;

  constructor(refusal: { code: number; reason: string; message: string }, options?: ErrorOptions) {
    super(refusal.message, options);
    this.code = refusal.code;
    this.reason = refusal.reason;
  }
}

/** Whose children they are. */
export interface ChildScope {
  parent: { service: string };
  requests: Pick<RunRequests, "startChild" | "waitChild">;
  signal: AbortSignal;
}

/** Starts a child. Rejects with a ChildRefused, the signal's reason once it is aborted, or an RpcError for a payload above its limits. */
export async function startChild(
  options: ChildOptions & { type: string; requestId: string },
  scope: ChildScope,
): Promise<ChildHandle> {
  const { requests, signal } = scope;
  signal.throwIfAborted();
  const order = orderOf(options);
  const started = await requests.startChild(order);
  return {
    name: started.name,
    wait: () => waitChild(started, order.service, scope),
  };
}

function orderOf(options: ChildOptions & { type: string; requestId: string }): ChildOrder {
  const { type, requestId, service, payload = {}, policy = "cancel", shared = false } = options;
  const { labels = {}, description = "", deadlineMs = null } = options;
  checkJsonLimits(payload, "payload", payloadLimits);
  if (!childPolicies.has(policy)) throw invalidOption("policy", "is none of cancel, wait, abandon");
  if (policy === "wait" && deadlineMs === null) {
    throw invalidOption(
      "deadlineMs",
      `is required for a child of policy "wait", or its parent's cancel would be without a bound`,
    );
  }
  const order = { type, payload, policy, requestId, shared, labels, description, deadlineMs };
  return { ...order, ...(service !== undefined && { service }) };
}

const childPolicies: ReadonlySet<string> = new Set([
  "cancel",
  "wait",
  "abandon",
] satisfies ChildOrder["policy"][]);

function invalidOption(option: string, problem: string): ChildRefused {
  const message = `${option}: ${problem}`;
  return new ChildRefused({ code: StatusCode.INVALID_ARGUMENT, reason: "INVALID_FIELD", message });
}

async function waitChild(
  started: ChildState,
  service: string | undefined,
  scope: ChildScope,
): Promise<JsonObject> {
  const { name } = started;
  const state = started.done ? started : await untilAborted(scope, { service, name });
  if (state.error !== null) throw new ChildFailed(name, state.error);
  return state.response ?? {};
}

/** The child's end, or the signal's reason. */
function untilAborted(
  { requests, signal }: ChildScope,
  child: { service: string | undefined; name: string },
): Promise<ChildState> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    requests
      .waitChild(child)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", onAbort));
  });
}
