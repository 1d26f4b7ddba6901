// What must hold of every step of an operation, as named predicates. The search, the simulations and the differential
// tests evaluate them; production does not. They restate the rules from the outside, and share no code with `transition`.
import {
  cancelIsDurable,
  deferralDropsNothing,
  evidenceFirst,
  lateCancelChangesNothing,
  noFalseCancelled,
  noRerunAfterCancel,
  revisionIsHeeded,
  stepsKeepTheirTimes,
  stopIsBounded,
} from "./invariants/cancels.ts";
import {
  boundViolations,
  closedParentViolations,
  familyViolations,
  parentSettlesLast,
  pressureViolations,
  type Rows,
  slotViolations,
  sweepViolations,
  unsweptViolations,
} from "./invariants/families.ts";
import { boundedAttempts, fenced, heldUntilEvidence, oneLease } from "./invariants/leases.ts";
import {
  deletedStaysDeleted,
  doneIsFinal,
  oneResult,
  reportsAreIdempotent,
  revisionsCount,
  unwatchedEnds,
} from "./invariants/life.ts";
import type { Step } from "./invariants/step.ts";

export type { Rows } from "./invariants/families.ts";
export { type History, noHistory, remember, type Step, stepOf } from "./invariants/step.ts";

/** Each answers why the rule is broken, or null where it holds. */
export interface Invariant {
  /** As in docs/internals/state-machine.md. */
  id: string;
  claim: string;
  check(step: Step): string | null;
}

/** All that one operation shows by itself; each names what it keeps. */
export const invariants: readonly Invariant[] = [
  { id: "S1", claim: "done is final", check: doneIsFinal },
  { id: "S2", claim: "one result, and only when done", check: oneResult },
  { id: "S5", claim: "an acknowledged cancel is durable", check: cancelIsDurable },
  {
    id: "S6",
    claim: "a late or repeated cancel changes nothing, or escalates",
    check: lateCancelChangesNothing,
  },
  { id: "S7", claim: "no false CANCELLED, and finished work wins", check: noFalseCancelled },
  { id: "S8", claim: "no rerun after cancel", check: noRerunAfterCancel },
  { id: "S9", claim: "every worker write is fenced", check: fenced },
  { id: "S10", claim: "at most one live lease", check: oneLease },
  { id: "S11", claim: "attempts are counted and bounded", check: boundedAttempts },
  { id: "S12", claim: "reports are idempotent", check: reportsAreIdempotent },
  { id: "S13", claim: "one revision for each visible change, time never turns back", check: revisionsCount },
  { id: "S18", claim: "deleted stays deleted, names are never reused", check: deletedStaysDeleted },
  { id: "G2", claim: "evidence before CANCELLED", check: evidenceFirst },
  { id: "G2", claim: "work that may still run is held", check: heldUntilEvidence },
  { id: "G3", claim: "a cancel ends by its deadline, and only ever gets stricter", check: stopIsBounded },
  { id: "G4", claim: "a cancel of another revision changes nothing", check: revisionIsHeeded },
  { id: "G7", claim: "a deferral drops nothing", check: deferralDropsNothing },
  {
    id: "S13",
    claim: "each step of a cancel keeps the time at which it happened",
    check: stepsKeepTheirTimes,
  },
  { id: "C1", claim: "a parent settles last", check: parentSettlesLast },
  { id: "R2", claim: "an operation that nobody watches is cancelled, at its time", check: unwatchedEnds },
];

/** The invariants that a step breaks, as `S9: why`. */
export function violations(step: Step): string[] {
  const found: string[] = [];
  for (const invariant of invariants) {
    const why = invariant.check(step);
    if (why !== null) found.push(`${invariant.id}: ${why} (${invariant.claim})`);
  }
  return found;
}

/** What a commit broke of all rows together: families (C1-C4, G3; for C5 see sweepCommitViolations) and slots (R1). */
export function commitViolations(before: Rows, after: Rows): string[] {
  return [
    ...familyViolations(after),
    ...boundViolations(before, after),
    ...closedParentViolations(before, after),
    ...sweepViolations(before, after),
    ...slotViolations(after),
  ];
}

/** What a commit of one sweep broke beside that (C5): it told what it should not, or found nothing and left something. */
export function sweepCommitViolations(before: Rows, after: Rows, count: number): string[] {
  return [...pressureViolations(before, after), ...(count === 0 ? unsweptViolations(after) : [])];
}
