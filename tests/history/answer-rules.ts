// What must hold of all answers on one operation, whoever got them, and from which node: S1, S2, S7, S13, S14.
import type { Answer, Answers } from "./answers.ts";
import type { Finding } from "./history.ts";
import type { View } from "./view.ts";

/** Everything that is wrong with what was answered. */
export function checkAnswers(answers: Answers): Finding[] {
  return [...answers].flatMap(([name, ofOne]) => [
    ...checkResults(name, ofOne),
    ...checkRevisions(name, ofOne),
    ...checkFinal(name, ofOne),
    ...checkOrder(name, ofOne),
  ]);
}

/** S2: no result before the end, and one after it. S7: CANCELLED only after a cancel, or a rule that cancels. */
function checkResults(name: string, answers: readonly Answer[]): Finding[] {
  const findings: Finding[] = [];
  for (const { view, from } of answers) {
    const { done, error, response, state, cause } = view;
    if (error !== undefined && Number(error) + Number(response) !== Number(done))
      findings.push({
        rule: "S2",
        name,
        text: `${from}: done ${done}, error ${error}, response ${response}`,
      });
    if (state === "CANCELLED" && (cause === "" || cause === "deadline"))
      findings.push({ rule: "S7", name, text: `${from}: CANCELLED, and nobody had asked` });
  }
  return findings;
}

const compared: readonly (keyof View)[] = [
  ...(["state", "done", "attempt", "cause", "reason", "createUs", "updateUs", "endUs"] as const),
  ...(["isDeleted", "outcome"] as const),
];

/** S13: a revision has one view, on every node; with the revision goes the update time. */
function checkRevisions(name: string, answers: readonly Answer[]): Finding[] {
  const findings: Finding[] = [];
  const known = new Map<number, Answer>();
  for (const answer of answers) {
    const { revision } = answer.view;
    if (revision === undefined) continue;
    const before = known.get(revision);
    if (!before) {
      known.set(revision, answer);
      continue;
    }
    for (const field of compared) {
      const [one, other] = [before.view[field], answer.view[field]];
      if (one === undefined || other === undefined || one === other) continue;
      const text = `revision ${revision} has ${field} ${one} (${before.from}) and ${other} (${answer.from})`;
      findings.push({ rule: "S13", name, text });
    }
    known.set(revision, { ...before, view: { ...answer.view, ...defined(before.view) } });
  }
  const inOrder = [...known].sort(([one], [other]) => one - other);
  for (const [index, [revision, { view }]] of inOrder.entries()) {
    const [earlier, before] = inOrder[index - 1] ?? [];
    if (!before?.view.updateUs || !view.updateUs || view.updateUs > before.view.updateUs) continue;
    const text = `revision ${revision} is of ${view.updateUs}, revision ${earlier} of ${before.view.updateUs}`;
    findings.push({ rule: "S13", name, text });
  }
  return findings;
}

function defined(view: View): Partial<View> {
  return Object.fromEntries(Object.entries(view).filter(([, value]) => value !== undefined));
}

/** S1: an end is final; S6: nothing moves a done operation but its delete, and evidence that comes late. */
function checkFinal(name: string, answers: readonly Answer[]): Finding[] {
  const findings: Finding[] = [];
  const ends = answers.filter(({ view }) => view.done);
  const [first] = ends;
  if (!first) return findings;
  for (const field of ["state", "endUs", "outcome"] as const) {
    const told = ends.find(({ view }) => view[field] !== undefined);
    const other = ends.find(({ view }) => view[field] !== undefined && view[field] !== told?.view[field]);
    if (!told || !other) continue;
    const text = `it ended with ${field} ${told.view[field]} (${told.from}) and ${other.view[field]} (${other.from})`;
    findings.push({ rule: "S1", name, text });
  }
  const firstRevision = Math.min(...ends.map(({ view }) => view.revision ?? Number.POSITIVE_INFINITY));
  const later = answers.find(({ view }) => !view.done && (view.revision ?? 0) > firstRevision);
  if (later)
    findings.push({
      rule: "S1",
      name,
      text: `done at revision ${firstRevision}, and not at ${later.view.revision} (${later.from})`,
    });
  // An event tells neither of a hold nor of a delete, so it cannot say why there is another revision.
  const whole = ends.filter(({ view }) => view.isHeld !== undefined);
  const moved = new Map<string, number>();
  for (const { view, from } of whole) {
    const why = [view.isHeld, view.isDeleted, view.isConfirmedLater].join();
    const revision = moved.get(why) ?? view.revision ?? 0;
    if (revision !== view.revision) {
      const text = `its end is of revision ${revision} and of revision ${view.revision} (${from})`;
      findings.push({ rule: "S6", name, text });
    }
    moved.set(why, revision);
  }
  return findings;
}

/** S14: what anybody has been answered or told, nobody who asks later is answered less of, on any node. */
function checkOrder(name: string, answers: readonly Answer[]): Finding[] {
  const findings: Finding[] = [];
  const byEnd = [...answers].sort((a, b) => a.endMs - b.endMs);
  const reads = answers.filter(({ kind }) => kind === "read").sort((a, b) => a.startMs - b.startMs);
  let next = 0;
  let newest: Answer | undefined;
  let end: Answer | undefined;
  for (const read of reads) {
    for (let seen = byEnd[next]; seen && seen.endMs < read.startMs; seen = byEnd[++next]) {
      if ((seen.view.revision ?? 0) > (newest?.view.revision ?? 0)) newest = seen;
      if (seen.view.done) end = seen;
    }
    const { revision, done } = read.view;
    if (revision !== undefined && newest && revision < (newest.view.revision ?? 0)) {
      const text = `revision ${revision} (${read.from}) after revision ${newest.view.revision} (${newest.from})`;
      findings.push({ rule: "S14", name, text });
    } else if (end && !done)
      findings.push({ rule: "S14", name, text: `not done (${read.from}) after its end (${end.from})` });
  }
  return findings;
}
