// Why an operation is still running: who runs it, when it was last heard of, and which time ends it.
import { MICROS_PER_MS } from "../../../base/clock.ts";
import { isDone, type Lease } from "../../../engine/operation.ts";
import {
  counted,
  type Explained,
  type ExplainFacts,
  type NextStep,
  type Reason,
  spanBetween,
  workerText,
} from "./explanation.ts";

export function explainRunning(facts: ExplainFacts): Explained {
  const { record } = facts.detail;
  const reasons: Reason[] = [];
  const silent = record.lease === null ? null : silentWorker(record.lease, facts);
  if (silent) reasons.push(silent);
  reasons.push(running(facts), ...childrenReasons(facts));
  return { reasons, next: [...timeouts(facts), ...leaseEnd(facts)] };
}

function running({ detail, now, workers }: ExplainFacts): Reason {
  const { lease, attempt, policy, attemptStartTime, activityTime, progress } = detail.record;
  const session = lease?.session ?? "";
  const parts = [`attempt ${attempt} of ${policy.maxAttempts} runs on ${workerText(session, workers)}`];
  if (attemptStartTime !== null) parts.push(`for ${spanBetween(attemptStartTime, now)}`);
  const hasReported = activityTime !== null && activityTime !== attemptStartTime;
  const activity = hasReported
    ? `, its last progress was ${spanBetween(activityTime, now)} ago`
    : ", without progress so far";
  const percent = progress ? ` (${Math.floor(progress.percent)} %)` : "";
  return { code: "HANDLER_RUNNING", text: parts.join(" ") + activity + percent, about: [session] };
}

/** A remote worker that misses heartbeats: half of its lease is more than one. Null if it was heard in time. */
export function silentWorker({ session }: Lease, { workers, now }: ExplainFacts): Reason | null {
  const worker = workers.find((one) => one.session === session);
  if (worker === undefined || worker.kind === "embedded") return null;
  const ageMs = (now - worker.heartbeatTime) / MICROS_PER_MS;
  if (ageMs < worker.leaseMs / 2) return null;
  const text = `${workerText(session, workers)} was last heard ${spanBetween(worker.heartbeatTime, now)} ago${worker.connected ? "" : " and is not connected"}`;
  return { code: "WORKER_SILENT", text, about: [session] };
}

/** Children that it started and that are not done. */
export function childrenReasons({ detail, children }: ExplainFacts): Reason[] {
  const counts = detail.record.children;
  if (counts === null || counts.awaited === 0) return [];
  const open = children.filter(
    ({ state, detached, policy }) => !isDone(state) && !detached && policy !== "abandon",
  );
  const text = `${counted(counts.awaited, "child is", "children are")} not done`;
  return [{ code: "CHILDREN", text, about: open.map(({ name }) => name) }];
}

function timeouts({ detail }: ExplainFacts): NextStep[] {
  const { attemptStartTime, activityTime, deadline, watchDeadline, policy, attempt } = detail.record;
  const after = attempt < policy.maxAttempts ? "tried again" : "ended as failed";
  const next: NextStep[] = [];
  if (attemptStartTime !== null) {
    const time = attemptStartTime + policy.attemptTimeoutMs * MICROS_PER_MS;
    next.push({ step: `its attempt timeout passes: it is taken away and ${after}`, time });
  }
  if (policy.stallTimeoutMs > 0 && activityTime !== null) {
    const time = activityTime + policy.stallTimeoutMs * MICROS_PER_MS;
    next.push({ step: `without progress until then it is taken away and ${after}`, time });
  }
  if (deadline !== null) next.push({ step: "its deadline stops it", time: deadline });
  if (watchDeadline !== null) {
    next.push({ step: "it is cancelled unless somebody watches it", time: watchDeadline });
  }
  return next;
}

/** When the worker's silence counts as its loss. */
export function leaseEnd({ detail, workers, now }: ExplainFacts): NextStep[] {
  const { lease } = detail.record;
  const worker = workers.find(({ session }) => session === lease?.session);
  if (
    worker === undefined ||
    lease === null ||
    silentWorker(lease, { detail, workers, now } as ExplainFacts) === null
  ) {
    return [];
  }
  const time = worker.heartbeatTime + worker.leaseMs * MICROS_PER_MS;
  return [{ step: "its worker's lease passes, and the worker counts as lost", time }];
}
