// Runs a named search, prints its size, and fails on a counterexample, on a state that can never end, and on a search
// that has become smaller than tests/simulation/minimum.json says: one that silently looks at less proves less.
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import minimum from "./minimum.json" with { type: "json" };
import { findStranded, type Model, type SearchResult, search } from "./search.ts";

export type SearchName = keyof typeof minimum;

/** Searches all of a model. `isSettled` says of a state that nothing is left to do. */
export function runSearch<State>(
  t: TestContext,
  name: SearchName,
  model: Model<State>,
  isSettled: (state: State) => boolean,
): SearchResult<State> {
  const result = search(model);
  if (result.counterexample !== null) assert.fail(`\n${result.counterexample}`);
  const stranded = findStranded(result, isSettled);
  const trace = stranded === null ? "" : `no fair steps lead to an end from:\n${result.traceTo(stranded)}`;
  assert.equal(stranded, null, trace);
  t.diagnostic(`${name}: ${result.states} states, ${result.edges} edges`);
  const least = minimum[name];
  assert.ok(
    result.states >= least.states,
    `${result.states} states; tests/simulation/minimum.json says ${least.states}`,
  );
  assert.ok(
    result.edges >= least.edges,
    `${result.edges} edges; tests/simulation/minimum.json says ${least.edges}`,
  );
  return result;
}
