// Bugs that somebody could write, one at a time, into the pure core, the engine's shell and the store: the tests that are
// named for each find it. Here are the first ones of each guarantee (mutant-lists.ts); the others are in mutants.long.test.ts,
// and those of what stands before the engine in outside.long.test.ts.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { invariants } from "../../src/engine/invariants.ts";
import { killAll } from "./kill-all.ts";
import { clusterLists, coreLists, firstOfEach, othersOfEach, outerLists } from "./mutant-lists.ts";
import { checkEdits } from "./run-mutant.ts";

killAll("core, shell and store", firstOfEach(coreLists));

test("for each invariant of the search there is a mutant that it must find", () => {
  const found = new Set(
    coreLists.flat().flatMap(({ killers }) => killers.map(({ says }) => says.replace(": ", ""))),
  );
  assert.deepEqual(
    invariants.filter(({ id }) => !found.has(id)).map(({ id }) => id),
    [],
  );
});

test("for each guarantee and invariant of the state machine's page there is a mutant that breaks it", () => {
  const page = readFileSync(new URL("../../docs/internals/state-machine.md", import.meta.url), "utf8");
  const ids = [...page.matchAll(/^\| ([GSLCR]\d+) \|/gm)].map(([, id]) => id);
  assert.ok(ids.length > 25, `${ids.length} ids`);
  const broken = new Set(coreLists.flat().map(({ breaks }) => breaks));
  assert.deepEqual(
    ids.filter((id) => id !== undefined && !broken.has(id)),
    [],
  );
});

test("the bugs that only the full run puts in can still be put in", () => {
  for (const mutant of othersOfEach([...coreLists, ...clusterLists, ...outerLists])) checkEdits(mutant);
});
