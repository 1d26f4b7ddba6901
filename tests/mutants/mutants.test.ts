// Bugs that somebody could write, one at a time, into the pure core, the engine's shell and the store: the tests that are
// named for each find it. Those of what stands before the engine are in services.test.ts, those of the worker in
// mutants.long.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { invariants } from "../../src/engine/invariants.ts";
import { cancelMutants } from "./cancel-mutants.ts";
import { killAll } from "./kill-all.ts";
import { leaseMutants } from "./lease-mutants.ts";
import { recordMutants } from "./record-mutants.ts";
import { checkEdits } from "./run-mutant.ts";
import { shellMutants } from "./shell-mutants.ts";
import { storeMutants } from "./store-mutants.ts";
import { workerMutants } from "./worker-mutants.ts";

const coreMutants = [...leaseMutants, ...cancelMutants, ...recordMutants];

killAll("core, shell and store", [...coreMutants, ...shellMutants, ...storeMutants]);

test("for each invariant of the search there is a mutant that it must find", () => {
  const found = new Set(
    coreMutants.flatMap(({ killers }) => killers.map(({ says }) => says.replace(": ", ""))),
  );
  assert.deepEqual(
    invariants.filter(({ id }) => !found.has(id)).map(({ id }) => id),
    [],
  );
});

test("the bugs that only the full run puts in can still be put in", () => {
  for (const mutant of workerMutants) checkEdits(mutant);
});
