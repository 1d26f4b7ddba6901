// Children: operations that a running attempt starts. The rules are in `transition` (the parent's lease fences the start, a
// closed parent takes no more); here a handler's call becomes a command, and a wait.
import type { Instant } from "../base/clock.ts";
import { invalidField, RpcError } from "../base/rpc-error.ts";
import type { StartCommand } from "./commands.ts";
import type { ChildPolicy, OperationKey, OperationPolicy, OperationRecord, Payload } from "./operation.ts";
import type { HeldAttempt, Session } from "./session.ts";
import { startCommandOf } from "./start-command.ts";

/** What a handler asks for; the service, the type and the payload are checked by the caller. */
export interface EngineChildStart {
  /** The running attempt that starts it. */
  parent: HeldAttempt;
  /** What becomes of it when the parent is cancelled or ends. */
  policy: ChildPolicy;
  /** The child's own service; its tenant is the parent's. */
  service: string;
  /** Three letters in front of the id. */
  idPrefix: string;
  /** The resource that it belongs to (StartRequest.parent). */
  resource: string;
  type: string;
  request: Payload | null;
  metadata: Payload | null;
  /** The same id within one parent, or where `shared` within the tenant, names the same child. Never "". */
  requestId: string;
  /** Over what was asked for, in a canonical form. */
  requestDigest: string;
  /** Another operation's child of the same request id is joined. */
  shared: boolean;
  labels: Readonly<Record<string, string>>;
  description: string;
  /** Needed where the policy is "wait". */
  deadline: Instant | null;
  cancellable?: boolean;
}

/** Where a child's start came in, for the audit. */
const ORIGIN = "worker/child";

/**
 * The command of a child's start; `parent` is the operation that starts it. The child belongs to whoever started the
 * parent: a worker has no rights of its own. Throws INVALID_FIELD for a waiting child without a deadline (G3).
 */
export function childCommandOf(
  start: EngineChildStart,
  parent: OperationRecord,
  session: Session,
  policy: OperationPolicy,
  now: Instant,
): StartCommand {
  const { shared, type, description, labels, request, metadata, requestId, requestDigest, deadline } = start;
  if (start.policy === "wait" && deadline === null) {
    throw invalidField("time_left", "is required for a child with the policy wait: its parent waits for it");
  }
  const command = startCommandOf(
    {
      service: start.service,
      tenant: parent.tenant,
      idPrefix: start.idPrefix,
      parent: start.resource,
      type,
      createdBy: parent.createdBy,
      origin: ORIGIN,
      description,
      labels,
      request,
      metadata,
      requestId,
      requestDigest,
      // Every attempt of the parent names the same child by the same id: a retried handler finds what it has started.
      method: shared ? SHARED : `${OWN} ${parent.service} ${parent.name}`,
      deadline,
      ...(start.cancellable === undefined ? {} : { cancellable: start.cancellable }),
    },
    policy,
    now,
  );
  const { service, tenant, name } = parent;
  const parentAttempt = {
    key: { service, tenant, name },
    session: session.id,
    token: start.parent.token,
    policy: start.policy,
  };
  return { ...command, parentAttempt, shared };
}

/** Names in the place of the method whose call carried the request id. */
const OWN = "child of";
const SHARED = "shared child";

/** Throws LEASE_LOST unless the attempt is the session's. */
export function requireHeld(session: Session, parent: HeldAttempt): void {
  if (!session.holds(parent)) throw new RpcError("LEASE_LOST", {});
}

/** Throws OPERATION_NOT_FOUND unless the operation is a child of this parent: a worker sees nothing else. */
export function requireChild({ name, parents }: OperationRecord, parent: OperationKey): void {
  const isChild = parents.some((link) => link.service === parent.service && link.name === parent.name);
  if (!isChild) throw new RpcError("OPERATION_NOT_FOUND", { name });
}
