import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { monotonicMs } from "../base/clock.ts";
import { delay } from "../base/timers.ts";
import { eventually } from "../testing/eventually.ts";
import { StopLadder, type StopTimes } from "./stop-ladder.ts";

const far: StopTimes = {
  criticalMs: 60_000,
  graceMs: 60_000,
  cleanupMs: 60_000,
  forceMs: 60_000,
  stuckMs: 60_000,
};

/** A ladder that writes down its steps, with the time since it was made. */
function made(t: TestContext): { ladder: StopLadder; steps: string[]; at: Map<string, number> } {
  const steps: string[] = [];
  const at = new Map<string, number>();
  const from = monotonicMs();
  const note = (step: string) => () => {
    steps.push(step);
    at.set(step, monotonicMs() - from);
  };
  const ladder = new StopLadder({ cut: note("cut"), escalate: note("escalate"), stuck: note("stuck") });
  t.after(() => ladder.cancel());
  return { ladder, steps, at };
}

test("each step comes once, in its time", async (t) => {
  const { ladder, steps, at } = made(t);
  ladder.climb({ ...far, criticalMs: 40, graceMs: 40, stuckMs: 150 });
  ladder.held();
  await eventually("stuck", () => steps.includes("stuck"));
  assert.deepEqual(steps, ["cut", "escalate", "stuck"]);
  assert.ok((at.get("escalate") ?? 0) >= 75, `${at.get("escalate")} ms`);
});

test("a grace that began late is not ended by the repetition of the cancel", async (t) => {
  const { ladder, steps, at } = made(t);
  ladder.climb({ ...far, graceMs: 30 });
  ladder.held();
  await delay(60); // the time of the section: more than the grace
  ladder.climb({ ...far, graceMs: 0 });
  ladder.begun();
  ladder.climb({ ...far, graceMs: 0 });
  assert.equal(steps.length, 0);
  await eventually("the grace is over", () => steps.includes("escalate"));
  assert.ok((at.get("escalate") ?? 0) >= 85, `${at.get("escalate")} ms`);
});

for (const beganLate of [false, true]) {
  test(`a shorter grace counts, a longer one never does: ${beganLate ? "began late" : "began at once"}`, async (t) => {
    const { ladder, steps } = made(t);
    ladder.climb(far);
    if (beganLate) ladder.held();
    ladder.begun();
    ladder.climb({ ...far, graceMs: 10 });
    ladder.climb(far);
    await eventually("the grace is over", () => steps.includes("escalate"));
  });
}

test("force ends sections, grace and clean-up alike", async (t) => {
  for (const phase of ["held", "aborting", "cleaning"]) {
    const { ladder, steps } = made(t);
    ladder.climb(far);
    if (phase === "held") ladder.held();
    if (phase === "cleaning") ladder.cleaning(60_000);
    ladder.climb({ ...far, graceMs: 0, forceMs: 0 });
    await eventually(`${phase} ends`, () => steps.includes("escalate"));
    assert.deepEqual(steps, phase === "held" ? ["cut", "escalate"] : ["escalate"]);
  }
});

test("a clean-up has its own time, whatever is left of the grace", async (t) => {
  const { ladder, steps, at } = made(t);
  ladder.climb({ ...far, graceMs: 5 });
  ladder.cleaning(60);
  await eventually("its time is over", () => steps.includes("escalate"));
  assert.ok((at.get("escalate") ?? 0) >= 55, `${at.get("escalate")} ms`);
});

test("nothing comes after the work has stopped", async (t) => {
  const { ladder, steps } = made(t);
  ladder.climb({ ...far, graceMs: 5, stuckMs: 5 });
  ladder.cancel();
  ladder.climb({ ...far, graceMs: 0 });
  await delay(20);
  assert.deepEqual(steps, []);
});
