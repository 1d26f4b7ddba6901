// Sessions, over a batch: what their end settles, and what they are granted.
import type {
  AcquireCommand,
  CloseSessionCommand,
  CommandOutcome,
  ExpireSessionsCommand,
  OpenSessionCommand,
} from "../commands.ts";
import { keyText } from "../decision.ts";
import type { OperationKey, OperationRecord } from "../operation.ts";
import type { Fold } from "./fold.ts";

const refused: CommandOutcome = { type: "refused", reason: "SESSION_UNKNOWN", record: null };

export function openSession(fold: Fold, command: OpenSessionCommand): CommandOutcome {
  const { type: _, ...session } = command;
  fold.putSession({ ...session, openTime: fold.now, heartbeatTime: fold.now });
  return { type: "session" };
}

export function heartbeat(fold: Fold, session: string): CommandOutcome {
  if (!fold.session(session)) return refused;
  fold.beat(session);
  return { type: "session" };
}

/** Grants what was found, until `limit` is reached; what has no slot left, or is gone, is passed over. */
export function acquire(fold: Fold, command: AcquireCommand, index: number): CommandOutcome {
  const { session, guarded, begin, limit } = command;
  if (!fold.session(session)) return refused;
  const grants: { record: OperationRecord; request: null; checkpoint: null }[] = [];
  for (const key of fold.targets(index)) {
    if (grants.length >= limit) break;
    const outcome = fold.apply({ type: "assign", key, session, guarded, begin });
    if (outcome.type === "operation")
      grants.push({ record: outcome.record, request: null, checkpoint: null });
  }
  return { type: "granted", grants };
}

export function closeSession(fold: Fold, command: CloseSessionCommand, index: number): CommandOutcome {
  const count = settle(fold, command.session, index, command.survivors);
  return { type: "settled", count };
}

/** Closes the sessions whose lease has passed, unless a heartbeat of this batch came first. */
export function expireSessions(fold: Fold, _command: ExpireSessionsCommand, index: number): CommandOutcome {
  let count = 0;
  for (const id of fold.readSet.expired.get(index) ?? []) {
    const session = fold.session(id);
    if (session?.kind !== "remote" || session.heartbeatTime + session.leaseMs * 1000 > fold.now) continue;
    count += settle(fold, id, index, []);
  }
  return { type: "settled", count };
}

function isWith({ lease, held }: OperationRecord, session: string): boolean {
  return lease?.session === session || held?.session === session;
}

/** Settles all that a session has, and closes it. Answers how many operations that were. */
function settle(fold: Fold, session: string, index: number, survivors: readonly string[]): number {
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
    fold.apply({ type: "expireLease", key, session, survived: survivors.includes(key.name) });
  fold.dropSession(session);
  return targets.size;
}
