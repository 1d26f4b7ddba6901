// `npm run demo` with single stops: on a terminal, interrupted, and with flags that are wrong.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { test } from "node:test";
import { descendantsOf, isSame, processes } from "../../scripts/demo/processes.ts";
import { isThere, namedProcesses, runTour } from "./tour-process.ts";

const hasScript = /util-linux/.test(spawnSync("script", ["--version"], { encoding: "utf8" }).stdout ?? "");
const needsScript = { skip: hasScript ? false : "script(1) of util-linux is not installed" };

test("on a terminal a bar is drawn over itself, and colours tell what is gone", needsScript, async (t) => {
  const { code, stdout } = await runTour(t, ["--only", "default", "--watch", "1s"], {
    columns: 100,
    env: { TERM: "xterm-256color" },
  });
  assert.equal(code, 0, stdout);
  assert.match(stdout, /\rdefault RUNNING \[#*-+\] \d+% \S+ \d\d left/);
  assert.match(stdout, /\rdefault CANCELLING \[/);
  const [gone = ""] = /process \d+ \(sh\)/.exec(stdout) ?? [];
  assert.ok(stdout.includes(`\u001b[32m${gone}\u001b[39m`), stdout);
  assert.match(stdout, /1 of 1 ended as they should/);
});

test("NO_COLOR leaves the bar and takes the colours", needsScript, async (t) => {
  const { code, stdout } = await runTour(t, ["--only", "default", "--watch", "100ms"], {
    columns: 100,
    env: { TERM: "xterm-256color", NO_COLOR: "1" },
  });
  assert.equal(code, 0, stdout);
  assert.match(stdout, /\rdefault RUNNING \[/);
  assert.equal(stdout.replaceAll("\u001b[K", "").includes("\u001b"), false);
});

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  test(`${signal} in the middle of the work ends all of it, with ${code}`, async (t) => {
    const run = await runTour(t, ["--only", "vault", "--watch", "60s"], {
      signalAt: { pattern: /work +/, signal },
    });
    assert.equal(run.code, code, run.stdout + run.stderr);
    assert.equal(run.stderr, "belay: the tour is stopped, and with it all that it started\n");
    const named = namedProcesses(run.stdout);
    assert.ok(named.length > 0);
    assert.deepEqual(named.filter(isThere), []);
    assert.deepEqual(run.left, []);
  });
}

test("what is wrong on its command line is told, and nothing is started", async (t) => {
  for (const [args, message] of [
    [
      ["--only", "vaults"],
      /there is no stop vaults; there are: yandex, vault, dai, automl, default, worker, family, many, receipts/,
    ],
    [["--watch", "soon"], /--watch soon: write a time such as 4s/],
    [["--fast"], /Unknown option '--fast'/],
  ] as const) {
    const { code, stdout, stderr, left } = await runTour(t, args);
    assert.equal(code, 1);
    assert.match(stderr, message);
    assert.equal(stdout, "");
    assert.deepEqual(left, []);
  }
});

test("ps, which systems without /proc are asked by, tells the same of a process as /proc", (t) => {
  const child = spawn("sh", ["-c", "sleep 600 & wait"], { stdio: "ignore", detached: true });
  t.after(() => process.kill(-(child.pid ?? 0), "SIGKILL"));
  const end = performance.now() + 10_000;
  const sleeping = (isPortable: boolean) =>
    descendantsOf(process.pid, processes(isPortable)).filter(({ name }) => /^sleep 600$/.test(name));
  while (sleeping(false).length === 0) assert.ok(performance.now() < end);
  const [[byProc], [byPs]] = [sleeping(false), sleeping(true)];
  assert.ok(byProc && byPs);
  assert.ok(isSame(byProc, byPs), `${JSON.stringify(byProc)} ${JSON.stringify(byPs)}`);
});
