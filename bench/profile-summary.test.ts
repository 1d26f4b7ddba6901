// A CPU profile is summed up by function and by file.
import assert from "node:assert/strict";
import { test } from "node:test";
import { summarise } from "./profile-summary.ts";

test("shares are of the time that was not idle, by function and by file", () => {
  const node = (id: number, functionName: string, url: string) => ({
    id,
    callFrame: { functionName, url, lineNumber: 4 },
  });
  const nodes = [
    node(1, "(idle)", ""),
    node(2, "decide", "file:///clone/src/engine/decide.ts"),
    node(3, "query", "file:///clone/node_modules/pg/lib/client.js"),
    node(4, "(garbage collector)", ""),
  ];
  const samples = [1, 2, 3, 4];
  const timeDeltas = [5000, 3000, 1000, 1000];
  const { busyMs, idleMs, functions, files } = summarise({ nodes, samples, timeDeltas });
  assert.equal(busyMs, 5);
  assert.equal(idleMs, 5);
  assert.deepEqual(functions[0], { name: "decide src/engine/decide.ts:5", share: 0.6 });
  assert.deepEqual(
    files.map(({ name }) => name),
    ["src/engine/decide.ts", "pg", "(garbage collector)"],
  );
});
