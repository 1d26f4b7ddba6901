// Why a pending operation has not started.
import { MICROS_PER_MS } from "../../../base/clock.ts";
import type { WorkerView } from "../../../engine/session-directory.ts";
import type { SlotUsers } from "../../../engine/store.ts";
import {
  counted,
  type Explained,
  type ExplainFacts,
  type NextStep,
  type Reason,
  type ReasonCode,
  spanBetween,
  workerText,
} from "./explanation.ts";

/** All that keeps it from starting; READY if nothing does. */
export function explainPending(facts: ExplainFacts): Explained {
  const { record } = facts.detail;
  const reasons = [...ownReasons(facts), ...limitReasons(facts)];
  if (record.lease === null) reasons.push(...workerReasons(facts));
  if (reasons.length === 0) {
    const text = `a worker has room for operations of the type ${record.type}: it starts in a moment`;
    reasons.push({ code: "READY", text, about: [] });
  }
  return { reasons, next: nextSteps(facts, reasons) };
}

/** What lies in the operation itself. */
function ownReasons({ detail, now, workers }: ExplainFacts): Reason[] {
  const { held, lease, startAfter, attempt } = detail.record;
  const reasons: Reason[] = [];
  if (held !== null) {
    const who = workerText(held.session, workers);
    const text = `attempt ${attempt} was taken away from ${who} and may still run there`;
    reasons.push({ code: "HELD", text, about: [held.session] });
  }
  if (startAfter > now) {
    const left = spanBetween(now, startAfter);
    reasons.push(
      attempt === 0
        ? { code: "NOT_DUE", text: `its start delay has ${left} left`, about: [] }
        : {
            code: "BACKOFF",
            text: `after attempt ${attempt} it waits ${left} more before the next one`,
            about: [],
          },
    );
  }
  if (lease !== null) {
    const who = workerText(lease.session, workers);
    reasons.push({
      code: "RESERVED",
      text: `${who} has it in hand and is about to begin`,
      about: [lease.session],
    });
  }
  return reasons;
}

/** What others of its type or key use up. */
function limitReasons({ detail, typeUsers, keyUsers }: ExplainFacts): Reason[] {
  const { type, concurrencyKey, policy } = detail.record;
  const reasons: Reason[] = [];
  const isFull = (users: SlotUsers | null, limit: number): users is SlotUsers =>
    users !== null && users.used >= limit;
  if (isFull(keyUsers, policy.keyLimit)) {
    const text = `the concurrency key ${JSON.stringify(concurrencyKey)} takes ${policy.keyLimit} at once, and ${counted(keyUsers.used, "operation has", "operations have")} it`;
    reasons.push({ code: "KEY_BUSY", text, about: keyUsers.names });
  }
  if (isFull(typeUsers, policy.typeLimit)) {
    const text = `the type ${type} takes ${policy.typeLimit} at once, and ${counted(typeUsers.used, "operation uses", "operations use")} them`;
    reasons.push({ code: "TYPE_LIMIT", text, about: typeUsers.names });
  }
  return reasons;
}

/** What lies in the workers that serve its type. */
function workerReasons({ detail, workers }: ExplainFacts): Reason[] {
  const { type } = detail.record;
  const serving = workers.filter(({ types }) => types.includes(type));
  const connected = serving.filter((worker) => worker.connected);
  if (connected.length === 0) return [noWorker(type, serving)];
  if (connected.some(({ free }) => free > 0)) return [];
  const stuck = connected.filter((worker) => worker.stuck > 0);
  const busy = connected.filter((worker) => worker.stuck === 0);
  const reasons: Reason[] = stuck.map(({ session, stuck: count }) => ({
    code: "SESSION_STUCK",
    text: `${workerText(session, workers)} gets no new work until ${counted(count, "handler")} that did not stop ${count === 1 ? "is" : "are"} gone`,
    about: [session],
  }));
  if (busy.length > 0) {
    const slots = busy.reduce((sum, worker) => sum + worker.slots, 0);
    const text = `${counted(slots, "slot")} of ${counted(busy.length, "worker")} for the type ${type} are all in use`;
    reasons.push({ code: "ALL_SLOTS_BUSY", text, about: busy.map(({ session }) => session) });
  }
  return reasons;
}

function noWorker(type: string, serving: readonly WorkerView[]): Reason {
  const away = serving.map(({ session }) => session);
  const text =
    away.length === 0
      ? `no worker serves the type ${type}`
      : `no worker that serves the type ${type} is connected: ${away.join(", ")} ${away.length === 1 ? "is" : "are"} away`;
  return { code: "NO_WORKER", text, about: away };
}

/** What lets it start, by what keeps it from starting; what passes with time is told with its time. */
const startsWhen: Partial<Record<ReasonCode, (type: string) => string>> = {
  HELD: () => "it starts when it is known that the attempt before has stopped, or an operator releases it",
  KEY_BUSY: () => "it starts when one of those that have its concurrency key ends",
  TYPE_LIMIT: (type) => `it starts when another operation of the type ${type} ends`,
  NO_WORKER: (type) => `it starts when a worker that serves the type ${type} connects`,
  SESSION_STUCK: () => "it starts when the handlers that did not stop are gone, or another worker connects",
  ALL_SLOTS_BUSY: () => "it starts when a slot is free",
};

function nextSteps({ detail, now }: ExplainFacts, reasons: readonly Reason[]): NextStep[] {
  const { type, startAfter, deadline, watchDeadline, policy } = detail.record;
  const [when] = reasons.flatMap(({ code }) => startsWhen[code]?.(type) ?? []);
  const next: NextStep[] = [];
  if (startAfter > now) next.push({ step: "it may start", time: startAfter });
  if (deadline !== null) next.push({ step: "its deadline ends it as DEADLINE_EXCEEDED", time: deadline });
  if (watchDeadline !== null) {
    const span = spanBetween(0, policy.unwatchedMs * MICROS_PER_MS);
    next.push({ step: `it is cancelled if nobody has watched it for ${span}`, time: watchDeadline });
  }
  next.push({ step: when ?? "it starts in a moment", time: null });
  return next;
}
