// CPU time is read from /proc whatever a process is called.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMachine, parseStat, treeCpuMs } from "./process-cpu.ts";

test("a stat line is read behind the command's name, whatever the name holds", () => {
  const line = "42 (a) b (c)) S 7 42 42 0 -1 4194304 100 0 0 0 250 50 30 20 20 0 1 0 1000 1000 100";
  assert.deepEqual(parseStat(line), { parent: 7, cpuMs: 3500 });
});

test("a machine's time is all but what is idle or waits for a disk", () => {
  assert.equal(parseMachine("cpu  100 10 50 9000 800 5 15 20 7 0\ncpu0 1 1 1 1 1\n"), 2000);
});

test("this process has used CPU time, and a process that is not there has not", {
  skip: process.platform !== "linux",
}, () => {
  const end = performance.now() + 50;
  while (performance.now() < end);
  assert.ok(treeCpuMs(process.pid) > 0);
  assert.equal(treeCpuMs(999_999_999), 0);
});
