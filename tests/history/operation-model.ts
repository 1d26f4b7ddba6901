// One operation as its callers can know it: which answers may follow one another (S15). What workers and timers do is not
// called by anybody: between two answers any number of such changes may have happened, but only in the ways of the state
// machine, and each visible one counts in the revision.
import type { Call } from "./history.ts";
import { finalStates, type StateName, type View } from "./view.ts";

/** The least that is known after some calls. */
export interface Known {
  exists: boolean;
  /** The newest view; of one that only said "done" the revision is the least that it can be (`isFloor`). */
  view: View;
  isFloor: boolean;
  /** A cancel took effect since the view, unless the operation was done by then. */
  isCancelled: boolean;
  isDeleted: boolean;
}

export const nothing: Known = {
  exists: false,
  view: { done: false },
  isFloor: true,
  isCancelled: false,
  isDeleted: false,
};

/** Equal for states that allow the same answers, given that each revision has one view (rule S13). */
export function keyOf({ exists, view, isFloor, isCancelled, isDeleted }: Known): string {
  return [exists, view.revision, view.done, view.state, isFloor, isCancelled, isDeleted].join();
}

/** The state after the call took effect now, or what makes that impossible. */
export function apply(known: Known, call: Call): Known | string {
  if (call.outcome === "refused") return refused(known, call);
  if (call.what === "start") return started(known, call);
  if (!known.exists) return `${call.what} found an operation that does not exist yet`;
  if (call.what === "delete") return deleted(known);
  if (call.what === "cancel") return cancelled(known, call);
  return call.view ? observe(known, call.view) : known;
}

const initial: View = { revision: 1, state: "PENDING", done: false, attempt: 0, cause: "", isDeleted: false };

function started(known: Known, call: Call): Known | string {
  const next: Known = known.exists ? known : { ...nothing, exists: true, view: initial, isFloor: false };
  return call.view ? observe(next, call.view) : next;
}

function refused(known: Known, { what, refusal }: Call): Known | string {
  if (refusal !== "OPERATION_NOT_FOUND") return known;
  if (!known.exists || known.isDeleted) return known;
  return `${what} did not find an operation that exists`;
}

function deleted(known: Known): Known | string {
  if (known.isDeleted) return "a deleted operation was deleted again";
  return { ...known, isDeleted: true };
}

const verdictStates: Readonly<Record<string, StateName>> = {
  TOO_LATE_SUCCEEDED: "SUCCEEDED",
  TOO_LATE_FAILED: "FAILED",
  ALREADY_CANCELLED: "CANCELLED",
};

/** Its view is read after it took effect, and is a read of its own (linearize.ts); only the cause in it counts here. */
function cancelled(known: Known, { verdict, view }: Call): Known | string {
  const wasAsked = isAsked(known);
  const asked: Known = known.view.done || wasAsked ? known : { ...known, isCancelled: true };
  if (verdict === undefined) return asked;
  const state = verdictStates[verdict];
  if (state !== undefined) return observe(known, { done: true, state });
  if (known.view.done) return `the verdict ${verdict} came for an operation that was done`;
  if (verdict === "ALREADY_STOPPING") {
    const isOwn = view?.cause === undefined || view.cause === "cancel";
    return wasAsked || !isOwn ? known : "ALREADY_STOPPING came first";
  }
  if (wasAsked) return `the verdict ${verdict} came for an operation that was being cancelled`;
  return verdict === "PREVENTED_START" ? observe(asked, { done: true, state: "CANCELLED" }) : asked;
}

function isAsked({ isCancelled, view }: Known): boolean {
  return isCancelled || (view.cause !== undefined && view.cause !== "");
}

/** The state of one that shows this view now. */
function observe(known: Known, seen: View): Known | string {
  const problem = seen.revision === undefined ? unreachablePartly(known, seen) : unreachable(known, seen);
  if (problem !== "") return problem;
  if (seen.revision !== undefined) {
    const { done, cause = known.view.cause } = seen;
    const isCancelled = known.isCancelled && !done && (cause === undefined || cause === "");
    return { ...known, view: { ...keep(known.view), ...seen }, isFloor: false, isCancelled };
  }
  if (!seen.done || known.view.done) return known;
  // It may have begun and been cancelled meanwhile: of that google's view says nothing.
  const { cause: _, attempt: __, ...before } = known.view;
  const view = { ...before, done: true, revision: (known.view.revision ?? 0) + 1, state: seen.state };
  return { ...known, view: withoutUndefined<View>(view), isFloor: true };
}

/** What stays as it was where an answer does not tell it. */
function keep({ createUs, cause, attempt }: View): Partial<View> {
  return withoutUndefined<Partial<View>>({ createUs, cause, attempt });
}

function withoutUndefined<T extends object>(view: { [Key in keyof T]: T[Key] | undefined }): T {
  return Object.fromEntries(Object.entries(view).filter(([, value]) => value !== undefined)) as T;
}

/** Why google's view cannot be shown now; "" if it can. */
function unreachablePartly({ view }: Known, seen: View): string {
  if (view.done && !seen.done) return "a done operation was shown as running";
  if (view.done && view.state !== seen.state) return `${view.state} was shown as ${seen.state}`;
  return "";
}

/** Why the view cannot be shown now; "" if it can. */
function unreachable(known: Known, seen: View): string {
  const { view, isFloor, isCancelled } = known;
  const [from, to] = [view.revision ?? 0, seen.revision ?? 0];
  if (to < from) return `revision ${to} was shown after revision ${from}`;
  if (known.isDeleted && seen.isDeleted === false) return "its delete was taken back";
  if (!known.isDeleted && seen.isDeleted === true) return "nobody had deleted it";
  if (to === from && !isFloor) {
    const isMissing = isCancelled || (known.isDeleted && view.isDeleted === false);
    return isMissing ? `revision ${to} was shown though something was committed since` : "";
  }
  return ended(view, seen) || asked(known, seen) || moved(view, seen);
}

function ended(view: View, seen: View): string {
  if (!view.done) return "";
  if (!seen.done) return "a done operation was shown as running";
  const isSame = view.state === seen.state && (isAbsent(view.endUs) || view.endUs === seen.endUs);
  return isSame ? "" : `${view.state} became ${seen.state}`;
}

/** Fields of the operation's beginning and end have no value before. */
function isAbsent(value: number | undefined): boolean {
  return value === undefined || value === 0;
}

/** The rules of a cancel: never reset, never without somebody who asked, nothing runs again after it. */
function asked({ view, isCancelled }: Known, seen: View): string {
  if (seen.cause === undefined) return "";
  const was = view.cause ?? (view.done ? seen.cause : "");
  if (was !== "" && seen.cause !== was) return `the cancel (${was}) became "${seen.cause}"`;
  if (was !== "" && view.attempt !== undefined && seen.attempt !== view.attempt)
    return `attempt ${seen.attempt} began after the cancel of attempt ${view.attempt}`;
  if (was !== "") return "";
  if (seen.cause === "cancel" && !isCancelled) return "it is being cancelled, and nobody has asked";
  if (isCancelled && seen.cause === "" && !seen.done) return "a cancel that took effect is not shown";
  return "";
}

/** Attempts grow, each with a visible change of its own; a running one has begun; the clock goes on. */
function moved(view: View, seen: View): string {
  const begun = (seen.attempt ?? 0) - (view.attempt ?? seen.attempt ?? 0);
  const changes = (seen.revision ?? 0) - (view.revision ?? 0);
  if (seen.attempt !== undefined && begun < 0)
    return `attempt ${seen.attempt} was shown after ${view.attempt}`;
  if (seen.attempt !== undefined && begun > changes) return `${begun} attempts in ${changes} changes`;
  if (
    view.state === "CANCELLING" &&
    seen.state !== "CANCELLING" &&
    !finalStates.includes(seen.state ?? "PENDING")
  )
    return `CANCELLING became ${seen.state}`;
  if (view.createUs && seen.createUs && view.createUs !== seen.createUs) return "it was created twice";
  if (view.updateUs && seen.updateUs && seen.updateUs <= view.updateUs)
    return `its update time went from ${view.updateUs} to ${seen.updateUs}`;
  return "";
}
