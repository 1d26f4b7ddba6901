import assert from "node:assert/strict";
import { test } from "node:test";
import { budgetWarning, readConnectionBudget } from "./connection-budget.ts";
import type { Queryable } from "./queryable.ts";

/** A database that says what is given. */
function saying(row: readonly number[]): Queryable {
  return { rows: async () => [row] as never };
}

for (const [what, row, isRegistered, wanted] of [
  ["max_connections less what is reserved", [100, 3, 7, -1, -1, 2], true, { available: 97, nodes: 2 }],
  ["a role's own limit", [100, 3, 7, 20, -1, 2], true, { available: 20, nodes: 2 }],
  ["a database's own limit", [100, 3, 7, 50, 30, 2], true, { available: 30, nodes: 2 }],
  ["a node that the database does not know yet", [100, 3, 7, -1, -1, 2], false, { available: 97, nodes: 3 }],
  ["the first node", [100, 3, 7, -1, -1, 0], false, { available: 97, nodes: 1 }],
] as const) {
  test(`the budget counts ${what}`, async () => {
    const budget = await readConnectionBudget(saying(row), { poolSize: 10, isRegistered });
    assert.deepEqual(budget, { ...wanted, inUse: 7, perNode: 11 });
  });
}

for (const [available, nodes, expected] of [
  [97, 7, null],
  [97, 8, /^8 nodes with 11 connections each have room, but not for one more while they are replaced/],
  [
    97,
    9,
    /^9 nodes with 11 connections each want 99, and the database has 97 for everybody \(7 in use\): calls will wait/,
  ],
] as const) {
  test(`${nodes} nodes of 11 connections and ${available}: ${expected === null ? "nothing is said" : "a warning"}`, () => {
    const line = budgetWarning({ available, nodes, inUse: 7, perNode: 11 });
    if (expected === null) assert.equal(line, null);
    else assert.match(line ?? "", expected);
  });
}
