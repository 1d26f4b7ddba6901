// Commands as real processes. What matters is checked from outside: whether a pid lives, whether a file still grows.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { monotonicMs } from "../base/clock.ts";
import type { Assignment, WorkerReport } from "../protocol/worker-connection.ts";
import { eventually } from "../testing/eventually.ts";
import { startTestWorker, type TestWorker } from "../testing/test-worker.ts";
import { readProcess, readProcessTable } from "./supervisor/process-table.ts";
import { defineOperation, type ProcessDefinition } from "./worker.ts";

type Serving = TestWorker & { assign(command: readonly string[], rest?: Partial<Assignment>): Assignment };

/** A worker whose operation "run" runs the command in its payload. */
async function serve(t: TestContext, options: Partial<ProcessDefinition> = {}): Promise<Serving> {
  const definition = defineOperation({
    type: "run",
    kind: "process",
    command: ({ command }) => command as [string, ...string[]],
    ...options,
  });
  const started = await startTestWorker(t, [definition]);
  const assign: Serving["assign"] = (command, rest) =>
    started.connection.assign("run", { command: [...command] }, rest);
  return { ...started, assign };
}

const shell = (script: string): string[] => ["sh", "-c", script];

/** Bash writes every process's pid to a file of its own, so that the test can ask for each from outside. */
function pidsIn(folder: string, count: number): Promise<number[]> {
  return eventually(`${count} pid files in ${folder}`, () => {
    const files = readdirSync(folder).filter((file) => file.endsWith(".pid"));
    const pids = files.map((file) => Number(readFileSync(join(folder, file), "utf8")));
    return pids.length === count && pids.every((pid) => pid > 1) && pids;
  });
}

function isAlive(pid: number): boolean {
  return readProcess(pid)?.isAlive === true;
}

function recordsIn(folder: string): string[] {
  // A supervisor that was killed while it wrote one may leave the unfinished file; nobody reads that.
  return readdirSync(join(folder, "processes")).filter((file) => file.endsWith(".json"));
}

interface CommandResponse {
  exitCode: number;
  stdout: string;
  stderr: string;
  stdoutBytes: number;
  stderrBytes: number;
}

function responseOf(report: WorkerReport): CommandResponse {
  assert.ok(report.type === "complete", JSON.stringify(report));
  return report.response as unknown as CommandResponse;
}

test("a command reads its payload, has a small environment, and its outputs are the response", async (t) => {
  Object.assign(process.env, { BELAY_TEST_SECRET: "s3cret" });
  const { connection, folder, assign } = await serve(t, { env: { COLOUR: "red" } });
  const assignment = assign(shell('cat; echo " $COLOUR $BELAY_OPERATION"; env >&2'));
  const response = responseOf(await connection.endOf(assignment));
  assert.equal(response.exitCode, 0);
  assert.equal(response.stdout, `${JSON.stringify(assignment.input)} red ${assignment.name}\n`);
  const names = response.stderr.split("\n").map((line) => line.split("=")[0]);
  // PWD, SHLVL, OLDPWD and _ are the shell's own.
  const ours = names.filter((name) => name && !["PWD", "SHLVL", "OLDPWD", "_"].includes(name));
  const expected = [
    "BELAY_ATTEMPT",
    "BELAY_OPERATION",
    "COLOUR",
    ...["HOME", "LANG", "PATH"].filter((name) => process.env[name]),
  ];
  assert.deepEqual(ours.sort(), expected.sort());
  assert.deepEqual(recordsIn(folder), []);
  await eventually("the slot is free", () => connection.slotsFreed === 1);
});

test("no shell reads the arguments", async (t) => {
  const { connection, folder, assign } = await serve(t);
  const canary = join(folder, "canary");
  const hostile = [`; touch ${canary}`, `$(touch ${canary})`, `\`touch ${canary}\``, "a\nb"];
  const response = responseOf(await connection.endOf(assign(["printf", "%s|", ...hostile])));
  assert.equal(response.stdout, hostile.map((value) => `${value}|`).join(""));
  assert.throws(() => statSync(canary));
});

test("of a long output the last 64 KiB are kept, whole characters only, and all bytes are counted", async (t) => {
  const { connection, assign } = await serve(t);
  const print =
    'process.stdout.write("\\u20ac".repeat(100_000) + "."); process.stderr.write("\\0".repeat(200_000))';
  const response = responseOf(await connection.endOf(assign([process.execPath, "-e", print])));
  assert.equal(response.stdout, `${"\u20ac".repeat(21_845)}.`);
  assert.deepEqual([response.stdoutBytes, response.stderrBytes], [300_001, 200_000]);
  // A NUL is 6 bytes of JSON text: the response as a whole must fit its limit.
  assert.match(response.stderr, /^\0{19000,20000}$/);
});

const exitRows: readonly [name: string, script: string, retryable: boolean, message: RegExp][] = [
  [
    "exit code 3",
    "echo one >&2; echo two >&2; echo >&2; exit 3",
    false,
    /^the command exited with code 3: two$/,
  ],
  ["exit code 75, EX_TEMPFAIL,", "exit 75", true, /^the command exited with code 75$/],
  ["a signal of its own", "kill -SEGV $$", false, /^the command was ended by SIGSEGV$/],
  [
    "a very long last line",
    'head -c 9000 /dev/zero | tr "\\0" x >&2; exit 1',
    false,
    /^the command exited with code 1: x{1021}\.\.\.$/,
  ],
];
for (const [name, script, retryable, message] of exitRows) {
  test(`${name} fails the attempt${retryable ? " and may run again" : ""}`, async (t) => {
    const { connection, assign } = await serve(t);
    const end = await connection.endOf(assign(shell(script)));
    assert.ok(end.type === "fail");
    assert.match(end.error.message, message);
    assert.deepEqual([end.error.code, end.retryable, end.abortCaused], [2, retryable, false]);
    assert.deepEqual([end.evidence, end.mechanism], ["PROCESS_EXITED", "NONE"]);
  });
}

test("a command that cannot be started fails, and leaves no record", async (t) => {
  const { connection, folder, assign } = await serve(t);
  for (const [command, message] of [
    [["/no/such/program"], /could not be started: spawn \/no\/such\/program ENOENT/],
    [["printf", "a\0b"], /could not be started: .*null bytes/],
    [[], /could not be started/],
  ] as const) {
    const end = await connection.endOf(assign(command));
    assert.ok(end.type === "fail" && end.error.code === 9 && !end.retryable, JSON.stringify(end));
    assert.match(end.error.message, message);
  }
  assert.deepEqual(recordsIn(folder), []);
});

test("an order that is not an array of texts fails, and starts nothing", async (t) => {
  for (const command of ["sleep 1", [], ["sleep", 1], { program: "sleep" }, undefined]) {
    const { connection, folder, assign } = await serve(t, { command: () => command as never });
    const end = await connection.endOf(assign([]));
    assert.ok(end.type === "fail" && end.error.code === 9 && !end.retryable, JSON.stringify(end));
    assert.match(end.error.message, /could not be started: its command is not an array of texts/);
    assert.deepEqual(recordsIn(folder), []);
  }
});

test("lines on descriptor 3 are progress and checkpoints; others are skipped", async (t) => {
  const { connection, assign } = await serve(t);
  const script = `echo '{"percent": 40, "message": "page 2"}' >&3; echo nonsense >&3; echo '[1]' >&3
    printf '{"percent": 90, "checkpoint": {"page": 2}}' >&3`;
  const assignment = assign(shell(script));
  await connection.endOf(assignment);
  const [last] = connection.reportsOf(assignment, "progress").slice(-1);
  assert.equal(last?.percent, 90);
  assert.deepEqual(connection.reportsOf(assignment, "checkpoint").at(-1)?.checkpoint, { page: 2 });
});

test("a million progress lines are merged to a few reports", async (t) => {
  const { connection, assign } = await serve(t);
  const flood = `const { writeSync } = require("fs");
    for (let i = 1; i <= 1000; i++) writeSync(3, '{"percent":' + i / 10 + '}\\n'.repeat(1) + '{"percent":1}\\n'.repeat(999) + '{"percent":' + i / 10 + '}\\n')`;
  const assignment = assign([process.execPath, "-e", flood]);
  await connection.endOf(assignment);
  const reports = connection.reportsOf(assignment, "progress");
  assert.ok(reports.length < 100, `${reports.length} reports`);
  assert.equal(reports.at(-1)?.percent, 100);
});

/** Starts a command that writes `$$` to `<name>.pid` for each of its processes, waits for them, cancels, and answers the end. */
async function cancelled(
  t: TestContext,
  script: string,
  options: { processes: number; graceMs: number },
): Promise<{ end: WorkerReport; phases: string[]; ms: number; serving: Serving }> {
  const serving = await serve(t);
  const { connection, folder, assign } = serving;
  const assignment = assign(shell(`cd ${folder}\n${script}`));
  const pids = await pidsIn(folder, options.processes);
  assert.ok(pids.every(isAlive));
  const from = monotonicMs();
  connection.cancel(assignment, { graceMs: options.graceMs });
  const end = await connection.endOf(assignment);
  const ms = monotonicMs() - from;
  // No waiting here: the report itself says that they are gone.
  assert.deepEqual(pids.filter(isAlive), []);
  assert.deepEqual(recordsIn(folder), []);
  return { end, phases: connection.phasesOf(assignment), ms, serving };
}

const acknowledged = ["DELIVERED", "ACKNOWLEDGED"];
const escalated = ["DELIVERED", "ACKNOWLEDGED", "ESCALATED"];
const busy = "while :; do sleep 0.05; done";

const cancelRows: readonly [
  name: string,
  script: string,
  processes: number,
  graceMs: number,
  mechanism: string,
][] = [
  ["a command that obeys SIGTERM", `echo $$ > a.pid; ${busy}`, 1, 10_000, "SIGTERM"],
  ["a command that exits 0 on SIGTERM", `trap "exit 0" TERM; echo $$ > a.pid; ${busy}`, 1, 10_000, "SIGTERM"],
  ["a command that ignores SIGTERM", `trap "" TERM; echo $$ > a.pid; ${busy}`, 1, 100, "SIGKILL"],
  ["a stopped group that would obey", `echo $$ > a.pid; kill -STOP $$; ${busy}`, 1, 10_000, "SIGTERM"],
  [
    "a stopped group that ignores SIGTERM",
    `trap "" TERM; echo $$ > a.pid; kill -STOP 0; ${busy}`,
    1,
    100,
    "SIGKILL",
  ],
  [
    "a command with grandchildren whose parents are gone",
    `(sh -c 'echo $$ > b.pid; (sh -c "echo \\$\\$ > c.pid; ${busy}" &) ; ${busy}' &); echo $$ > a.pid; ${busy}`,
    3,
    10_000,
    "SIGTERM",
  ],
  // The leader obeys at once; the group is only gone when the stubborn child is.
  [
    "a group of which one ignores SIGTERM",
    `sh -c 'trap "" TERM; echo $$ > b.pid; ${busy}' & echo $$ > a.pid; ${busy}`,
    2,
    200,
    "SIGKILL",
  ],
  // Escaped by setsid, and deaf: hunted by its marker or its place in the tree.
  [
    "a descendant that escaped by setsid",
    `setsid sh -c 'trap "" TERM; echo $$ > b.pid; ${busy}' & echo $$ > a.pid; ${busy}`,
    2,
    200,
    "SIGKILL",
  ],
  // Its parent is gone: only the marker is left to hunt it by.
  [
    "a daemon",
    `(setsid sh -c 'trap "" TERM; echo $$ > b.pid; ${busy}' &); echo $$ > a.pid; ${busy}`,
    2,
    200,
    "SIGKILL",
  ],
  // It dropped the marker: only the tree is left, looked at before the first signal tears it.
  [
    "a descendant without the marker",
    `env -i setsid sh -c 'trap "" TERM; echo $$ > b.pid; ${busy}' & echo $$ > a.pid; ${busy}`,
    2,
    200,
    "SIGKILL",
  ],
];

for (const [name, script, processes, graceMs, mechanism] of cancelRows) {
  test(`a cancel stops ${name} by ${mechanism}, and says so when every process is gone`, async (t) => {
    const { end, phases, ms } = await cancelled(t, script, { processes, graceMs });
    // A quick stop brings its steps along; `phases` has them, however they were told.
    const { steps: _, ...told } = { steps: [], ...end };
    assert.deepEqual(told, { type: "stopped", attempt: end.attempt, evidence: "PROCESS_EXITED", mechanism });
    // On a busy machine the grace is over before the step of its beginning is told.
    assert.deepEqual(phases.toSorted(), (mechanism === "SIGKILL" ? escalated : acknowledged).toSorted());
    assert.ok(ms < graceMs + 2000, `${ms} ms`);
  });
}

test("a group that is stopped from outside dies at the end of the grace", async (t) => {
  const { connection, folder, assign } = await serve(t);
  const file = join(folder, "growing");
  const assignment = assign(
    shell(`trap "" TERM CONT; cd ${folder}; echo $$ > a.pid; while :; do echo x >> ${file}; done`),
  );
  const [pid] = await pidsIn(folder, 1);
  await eventually("it writes", () => statSync(file).size > 0);
  process.kill(-pid!, "SIGSTOP");
  connection.cancel(assignment, { graceMs: 100 });
  const end = await connection.endOf(assignment);
  assert.ok(end.type === "stopped" && end.mechanism === "SIGKILL");
  const { size } = statSync(file);
  await connection.endOf(assign(["true"])); // time passes
  assert.equal(statSync(file).size, size);
});

test("what a command leaves in its group when it ends by itself is ended too", async (t) => {
  const { connection, folder, assign } = await serve(t);
  const assignment = assign(
    shell(
      `cd ${folder}; sh -c 'trap "" TERM; echo $$ > b.pid; ${busy}' & while [ ! -s b.pid ]; do :; done; echo done`,
    ),
  );
  const end = await connection.endOf(assignment);
  assert.equal(responseOf(end).stdout, "done\n");
  const [left] = await pidsIn(folder, 1);
  assert.equal(isAlive(left!), false);
});

test("a cancel that comes together with the assignment still stops the command", async (t) => {
  const { connection, assign } = await serve(t);
  const assignment = assign(shell(busy));
  connection.cancel(assignment);
  const end = await connection.endOf(assignment);
  assert.equal(end.type, "stopped");
});

test("a revoked command is stopped, and only that is reported", async (t) => {
  const { connection, folder, assign } = await serve(t);
  const assignment = assign(shell(`trap "" TERM; cd ${folder}; echo $$ > a.pid; ${busy}`));
  const [pid] = await pidsIn(folder, 1);
  connection.revoke(assignment, { killMs: 100 });
  const end = await connection.endOf(assignment);
  assert.ok(end.type === "stopped" && end.mechanism === "SIGKILL");
  assert.equal(isAlive(pid!), false);
});

test("drain releases a command that stops by SIGTERM", async (t) => {
  const { worker, connection, folder, assign } = await serve(t);
  const polite = assign(shell(`cd ${folder}; echo $$ > a.pid; ${busy}`));
  const pids = await pidsIn(folder, 1);
  await worker.drain(0);
  assert.equal((await connection.endOf(polite)).type, "release");
  assert.deepEqual(pids.filter(isAlive), []);
});

// A worker that was drained stops what comes late at once, so this one is not: its command must have begun.
test("close kills a command that ignores SIGTERM, and releases it", async (t) => {
  const { worker, connection, folder, assign } = await serve(t);
  const deaf = assign(shell(`trap "" TERM; cd ${folder}; echo $$ > a.pid; ${busy}`), { killMs: 60_000 });
  const pids = await pidsIn(folder, 1);
  await worker.close();
  assert.equal((await connection.endOf(deaf)).type, "release");
  assert.deepEqual(pids.filter(isAlive), []);
  assert.equal(connection.isClosed, true);
});

function supervisorPid(): number {
  const found = readProcessTable().filter(
    ({ ppid, pid, pgid, isAlive: lives }) => ppid === process.pid && pid === pgid && lives,
  );
  assert.equal(found.length, 1);
  return found[0]!.pid;
}

for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
  test(`with its supervisor gone by ${signal} the worker stops a cancelled command itself`, async (t) => {
    const { connection, folder, assign } = await serve(t);
    const assignment = assign(shell(`trap "" TERM; cd ${folder}; echo $$ > a.pid; ${busy}`));
    const [pid] = await pidsIn(folder, 1);
    const supervisor = supervisorPid();
    connection.cancel(assignment, { graceMs: 100 });
    await eventually("delivered", () => connection.phasesOf(assignment).includes("ACKNOWLEDGED"));
    process.kill(supervisor, signal);
    const end = await connection.endOf(assignment);
    assert.ok(end.type === "stopped" && end.evidence === "PROCESS_EXITED" && end.mechanism === "SIGKILL");
    assert.equal(isAlive(pid!), false);
    if (signal === "SIGSTOP") process.kill(supervisor, "SIGCONT");
  });
}

test("while a stopped supervisor may still spawn a cancelled command, nobody says that it stopped", async (t) => {
  const { connection, folder, assign } = await serve(t);
  await connection.endOf(assign(["true"]));
  const supervisor = supervisorPid();
  process.kill(supervisor, "SIGSTOP");
  const assignment = assign(shell(`cd ${folder}; echo $$ > a.pid; ${busy}`));
  connection.cancel(assignment, { graceMs: 0 });
  const from = monotonicMs();
  await eventually("the worker would have struck", () => monotonicMs() > from + 1500);
  assert.equal(connection.hasEnded(assignment), false);
  process.kill(supervisor, "SIGCONT");
  const end = await connection.endOf(assignment);
  assert.ok(end.type === "stopped" && end.evidence === "PROCESS_EXITED");
});

test("a command whose supervisor is lost fails retryably, and the next command gets a new supervisor", async (t) => {
  const { connection, folder, assign } = await serve(t);
  const assignment = assign(shell(`cd ${folder}; echo $$ > a.pid; ${busy}`));
  const [pid] = await pidsIn(folder, 1);
  process.kill(supervisorPid(), "SIGKILL");
  const end = await connection.endOf(assignment);
  assert.ok(end.type === "fail" && end.retryable && end.error.code === 10);
  assert.equal(isAlive(pid!), false);
  assert.deepEqual(recordsIn(folder), []);
  assert.equal(responseOf(await connection.endOf(assign(["echo", "again"]))).stdout, "again\n");
});

test("nothing is started whose record cannot be written", async (t) => {
  const { connection, folder, assign } = await serve(t);
  await connection.endOf(assign(["true"])); // the supervisor runs
  rmSync(join(folder, "processes"), { recursive: true });
  writeFileSync(join(folder, "processes"), "");
  const end = await connection.endOf(assign(["touch", join(folder, "canary")]));
  assert.ok(end.type === "fail" && end.error.code === 9);
  assert.throws(() => statSync(join(folder, "canary")));
  rmSync(join(folder, "processes"));
});
