// Sessions, over a batch: what their end settles, and what they are granted.
import type {
  AcquireCommand,
  CloseSessionCommand,
  CommandOutcome,
  ExpireSessionsCommand,
  Grant,
  HeartbeatCommand,
  OpenSessionCommand,
} from "../commands.ts";
import { byStartOrder, keyText, slotsOf } from "../decision.ts";
import type { OperationKey, OperationRecord } from "../operation.ts";
import type { Fold } from "./fold.ts";

const refused: CommandOutcome = { type: "refused", reason: "SESSION_UNKNOWN", record: null };
const moved: CommandOutcome = { type: "refused", reason: "SESSION_MOVED", record: null };

/**
 * True if another node has the session's worker now. Of two nodes that both believe they have it, one would be given work
 * that nobody begins:
 *
 *   the stream to node A breaks, unnoticed there -> the worker comes to node B -> A acquires and tells a dead stream.
 */
function isElsewhere({ node }: { node?: string }, session: { node?: string }): boolean {
  return node !== undefined && session.node !== undefined && node !== session.node;
}

export function openSession(fold: Fold, command: OpenSessionCommand): CommandOutcome {
  const { type: _, ...session } = command;
  fold.putSession({ ...session, openTime: fold.now, heartbeatTime: fold.now });
  return { type: "session" };
}

export function heartbeat(fold: Fold, command: HeartbeatCommand): CommandOutcome {
  const session = fold.session(command.session);
  if (!session) return refused;
  const hasMoved = isElsewhere(command, session);
  if (hasMoved && command.takesOver !== true) return moved;
  fold.beat(command.session, command.node);
  return hasMoved ? { type: "session", hasMoved } : { type: "session" };
}

/** Grants what there is, until `limit` is reached; what has no slot left, or is gone, is passed over. */
export function acquire(fold: Fold, command: AcquireCommand, index: number): CommandOutcome {
  const { session, guarded, begin, limit } = command;
  const stored = fold.session(session);
  if (!stored) return refused;
  if (isElsewhere(command, stored)) return moved;
  const grants: Grant[] = [];
  for (const key of mayBeGranted(fold, command, index)) {
    if (grants.length >= limit) break;
    const outcome = fold.apply({ type: "assign", key, session, guarded, begin });
    if (outcome.type === "operation")
      grants.push({ record: outcome.record, request: fold.startedWith(key), checkpoint: null });
  }
  return { type: "granted", grants };
}

/**
 * What the store has found, and what was started earlier in this batch, in order: of a start and its grant in one batch only
 * one row is written; of the same instant the found ones come first, as they were started first. Started ones with limits are
 * left to the store, which counts who uses their slots; what is not due is passed over by `assign`.
 */
function mayBeGranted(
  fold: Fold,
  { types, onlyStarted }: AcquireCommand,
  index: number,
): readonly OperationKey[] {
  const found = onlyStarted ? [] : fold.targets(index);
  const started = fold
    .started()
    .filter((record) => types.includes(record.type) && slotsOf(record).length === 0);
  if (started.length === 0) return found;
  return [...found.flatMap((key) => fold.find(key) ?? []), ...started].sort(byStartOrder);
}

export function closeSession(fold: Fold, command: CloseSessionCommand, index: number): CommandOutcome {
  const { session, survivors, isGone } = command;
  const count = settle(fold, session, index, { survivors, ...(isGone && { isGone }) });
  return { type: "settled", count };
}

/** Closes the sessions whose lease has passed, unless a heartbeat of this batch came first. */
export function expireSessions(fold: Fold, _command: ExpireSessionsCommand, index: number): CommandOutcome {
  let count = 0;
  for (const id of fold.readSet.expired.get(index) ?? []) {
    const session = fold.session(id);
    const { leaseMs = 0, heartbeatTime = 0 } = session ?? {};
    const isOver = leaseMs > 0 && heartbeatTime + leaseMs * 1000 <= fold.now;
    if (!isOver) continue;
    count += settle(fold, id, index, { survivors: [] });
  }
  return { type: "settled", count };
}

function isWith({ lease, held }: OperationRecord, session: string): boolean {
  return lease?.session === session || held?.session === session;
}

/** Settles all that a session has, and closes it. Answers how many operations that were. */
function settle(
  fold: Fold,
  session: string,
  index: number,
  { survivors, ...known }: Pick<CloseSessionCommand, "survivors" | "isGone">,
): number {
  const targets = new Map<string, OperationKey>();
  for (const key of fold.targets(index)) {
    const record = fold.find(key);
    if (record !== null && isWith(record, session)) targets.set(keyText(key), key);
  }
  // The store looked before the batch. Granted meanwhile: acquire(w1) -> close(w1) in one batch. Without this the
  // grant would stay with a session that is gone, until its attempt times out.
  for (const record of fold.changed()) {
    const { service, tenant, name } = record;
    if (isWith(record, session)) targets.set(keyText(record), { service, tenant, name });
  }
  for (const key of targets.values())
    fold.apply({ type: "expireLease", key, session, survived: survivors.includes(key.name), ...known });
  fold.dropSession(session);
  return targets.size;
}
