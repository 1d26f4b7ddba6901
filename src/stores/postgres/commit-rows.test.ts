import assert from "node:assert/strict";
import test from "node:test";
import { type Column, insertRows } from "./commit-rows.ts";

const columns: Column[] = [
  ["name", "text"],
  ["state", "text"],
  ["time", "bigint"],
];

test("one row is bound as it is", () => {
  const { statement, values } = insertRows("t_one", "t", columns).step([["a", "X", 1]]);
  assert.match(
    statement.text,
    /^INSERT INTO t \(name, state, time\) SELECT \$1::text, \$2::text, \$3::bigint/,
  );
  assert.deepEqual(values, ["a", "X", 1]);
});

test("a column that is alike in all rows is bound once", () => {
  const shape = insertRows("t_many", "t", columns);
  const { statement, values } = shape.step([
    ["a", "X", 1],
    ["b", "X", 1],
  ]);
  assert.match(statement.text, /FROM unnest\(\$1::text\[\]\) AS v \(name\)/);
  assert.equal(values?.[1], "X");
  assert(Buffer.isBuffer(values?.[0]));
});

test("rows of one shape share a statement", () => {
  const shape = insertRows("t_shape", "t", columns);
  const rows = (time: number): (string | number)[][] => [
    ["a", "X", time],
    ["b", "X", time],
  ];
  assert.equal(shape.step(rows(1)).statement, shape.step(rows(2)).statement);
  assert.notEqual(shape.step(rows(1)).statement.name, shape.step([["a", "X", 1]]).statement.name);
});

test("rows that are alike in every column are still as many", () => {
  const { statement } = insertRows("t_alike", "t", columns).step([
    ["a", "X", 1],
    ["a", "X", 1],
  ]);
  assert.match(statement.text, /unnest\(\$1::text\[\]\)/);
});
