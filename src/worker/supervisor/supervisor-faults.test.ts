// kill -9 of the worker, of its whole process group, and of worker and supervisor together, while commands run.
// Everything is watched from outside: by pid, and by a file that grows as long as the command lives.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { eventually } from "../../testing/eventually.ts";
import { temporaryFolder } from "../../testing/test-worker.ts";
import { readBootId } from "./boot-id.ts";
import { ownProcess, type ProcessRecord, ProcessRecords } from "./process-record.ts";
import { readProcess, readProcessTable } from "./process-table.ts";
import { reapProcesses } from "./reap-processes.ts";

const sources = new URL("../../", import.meta.url);

/** A worker in a process of its own, in its own group, that runs one shell script. */
function startWorkerProcess(t: TestContext, folder: string, script: string): ChildProcess & { pid: number } {
  const main = join(folder, "main.mjs");
  writeFileSync(
    main,
    `import { startInterval } from "${new URL("base/timers.ts", sources)}";
     import { createLogger } from "${new URL("base/logger.ts", sources)}";
     import { RecordingConnection } from "${new URL("testing/recording-connection.ts", sources)}";
     import { createWorker, defineOperation } from "${new URL("worker/worker.ts", sources)}";
     const connection = new RecordingConnection();
     const command = ["sh", "-c", ${JSON.stringify(script)}];
     const operations = [defineOperation({ type: "run", kind: "process", command, cwd: ${JSON.stringify(folder)} })];
     const processFolder = ${JSON.stringify(join(folder, "processes"))};
     await createWorker({ connection, handlers: operations, processFolder, logger: createLogger("silent") }).start();
     connection.assign("run");
     startInterval(1000, () => {});`,
  );
  const child = spawn(process.execPath, [main], { detached: true, stdio: ["ignore", "ignore", "inherit"] });
  assert.ok(child.pid !== undefined);
  t.after(() => child.kill("SIGKILL")); // its supervisor sees to the rest
  return child as ChildProcess & { pid: number };
}

function supervisorOf(worker: number): number | undefined {
  return readProcessTable().find(({ ppid, isAlive }) => ppid === worker && isAlive)?.pid;
}

async function pidsIn(folder: string, count: number): Promise<number[]> {
  return await eventually(`${count} processes`, () => {
    const pids = readdirSync(folder)
      .filter((file) => file.endsWith(".pid"))
      .map((file) => Number(readFileSync(join(folder, file), "utf8")));
    return pids.length === count && pids.every((pid) => pid > 1) && pids;
  });
}

const isAlive = (pid: number): boolean => readProcess(pid)?.isAlive === true;
const busy = "while :; do echo x >> growing; sleep 0.02; done";
// A deaf leader, a child in its group, and a daemon that left it: all of them must go.
const family = `trap "" TERM HUP; sh -c 'echo $$ > b.pid; ${busy}' & (setsid sh -c 'echo $$ > c.pid; ${busy}' &); echo $$ > a.pid; ${busy}`;

async function assertGone(folder: string, pids: readonly number[]): Promise<void> {
  await eventually("every process is gone", () => !pids.some(isAlive), { timeoutMs: 5000 });
  await eventually("the records are gone", () => readdirSync(join(folder, "processes")).length === 0);
  const { size } = statSync(join(folder, "growing"));
  await eventually("time passes", async () => (await reapProcesses(join(folder, "processes"))).length === 0);
  assert.equal(statSync(join(folder, "growing")).size, size);
}

for (const target of ["the worker", "the worker's whole process group"] as const) {
  test(`kill -9 of ${target} leaves none of its commands running`, async (t) => {
    const folder = temporaryFolder(t);
    const worker = startWorkerProcess(t, folder, family);
    const pids = await pidsIn(folder, 3);
    const supervisor = await eventually("a supervisor", () => supervisorOf(worker.pid));
    process.kill(target === "the worker" ? worker.pid : -worker.pid, "SIGKILL");
    await assertGone(folder, pids);
    await eventually("the supervisor ends", () => !isAlive(supervisor));
  });
}

test("the supervisor ignores SIGTERM, SIGINT and SIGHUP while its worker lives", async (t) => {
  const folder = temporaryFolder(t);
  const worker = startWorkerProcess(t, folder, `echo $$ > a.pid; ${busy}`);
  const pids = await pidsIn(folder, 1);
  const supervisor = await eventually("a supervisor", () => supervisorOf(worker.pid));
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.kill(supervisor, signal);
  const { size } = statSync(join(folder, "growing"));
  await eventually("the command goes on", () => statSync(join(folder, "growing")).size > size + 20);
  assert.equal(isAlive(supervisor), true);
  process.kill(worker.pid, "SIGKILL");
  await assertGone(folder, pids);
});

/** Kills worker and supervisor so that neither can act on the other's end. */
async function killBoth(worker: number): Promise<void> {
  const supervisor = await eventually("a supervisor", () => supervisorOf(worker));
  process.kill(worker, "SIGSTOP");
  process.kill(supervisor, "SIGKILL");
  process.kill(worker, "SIGKILL");
  await eventually("both are dead", () => !isAlive(worker) && !isAlive(supervisor));
}

test("after kill -9 of worker and supervisor the next life's reaper ends the command and all that descends from it", async (t) => {
  const folder = temporaryFolder(t);
  const worker = startWorkerProcess(t, folder, family);
  const pids = await pidsIn(folder, 3);
  await eventually("its record is written", () => existsSync(join(folder, "processes", `${pids[0]}.json`)));
  await killBoth(worker.pid);
  assert.ok(pids.every(isAlive));
  assert.deepEqual(await reapProcesses(join(folder, "processes")), []);
  assert.deepEqual(pids.filter(isAlive), []);
  await assertGone(folder, pids);
});

test("an intent is enough for the reaper: it hunts by the marker", async (t) => {
  const folder = temporaryFolder(t);
  const worker = startWorkerProcess(t, folder, family);
  const pids = await pidsIn(folder, 3);
  const processes = join(folder, "processes");
  await killBoth(worker.pid);
  // As if the supervisor had died between the spawn and its record.
  const records = new ProcessRecords(processes);
  const [record] = records.read();
  records.remove(record!);
  records.write({ ...record!, pgid: null, startTime: null });
  assert.deepEqual(await reapProcesses(processes), []);
  await assertGone(folder, pids);
});

test("the reaper leaves alone what another boot, a living worker, or nobody knows", async (t) => {
  const folder = temporaryFolder(t);
  const processes = join(folder, "processes");
  const bystander = spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
  t.after(() => bystander.kill("SIGKILL"));
  const pgid = bystander.pid!;
  const { startTime } = readProcess(pgid)!;
  const gone = { pid: 2 ** 22 - 1, startTime: "1" };
  const record: ProcessRecord = {
    pgid,
    startTime,
    marker: "m",
    operation: "operations/1",
    bootId: readBootId(),
    owner: gone,
  };
  const records = new ProcessRecords(processes);
  const rows: readonly [name: string, record: ProcessRecord, stays: boolean][] = [
    ["another boot", { ...record, bootId: "another" }, false],
    ["a living worker", { ...record, owner: ownProcess() }, true],
    ["a pid given again", { ...record, startTime: "1" }, false],
  ];
  for (const [name, each, stays] of rows) {
    records.write(each);
    assert.deepEqual(await reapProcesses(processes), [], name);
    assert.equal(records.read().length, stays ? 1 : 0, name);
  }
  mkdirSync(join(processes, "strange.json"));
  writeFileSync(join(processes, "-1.json"), JSON.stringify({ ...record, pgid: -1 }));
  writeFileSync(join(processes, "torn.json"), '{"pgid": 12');
  assert.deepEqual(await reapProcesses(processes), []);
  assert.equal(isAlive(pgid), true);
  // An owner's pid that was given again is no living worker.
  records.write({ ...record, owner: { ...ownProcess(), startTime: "1" } });
  assert.deepEqual(await reapProcesses(processes), []);
  assert.equal(isAlive(pgid), false);
});

test("the half of a record that a killed writer left is removed, a living writer's is not", async (t) => {
  const processes = join(temporaryFolder(t), "processes");
  mkdirSync(processes);
  const nobody = 2 ** 22 - 1;
  for (const file of [`12.json.${nobody}.tmp`, `m.intent.json.${nobody}.tmp`, `13.json.${process.pid}.tmp`]) {
    writeFileSync(join(processes, file), '{"pgid": 12');
  }
  assert.deepEqual(await reapProcesses(processes), []);
  assert.deepEqual(readdirSync(processes), [`13.json.${process.pid}.tmp`]);
});

test("what cannot be ended in time is named, and its record stays", async (t) => {
  const processes = join(temporaryFolder(t), "processes");
  const marker = "never-ends";
  // A process that starts a new one each time before it dies would outrun the reaper; with no time at all any does.
  const child = spawn("sleep", ["60"], {
    detached: true,
    stdio: "ignore",
    env: { ...process.env, BELAY_ATTEMPT: marker },
  });
  t.after(() => child.kill("SIGKILL"));
  const pgid = child.pid!;
  const { startTime } = readProcess(pgid)!;
  const records = new ProcessRecords(processes);
  const owner = { pid: 2 ** 22 - 1, startTime: "1" };
  records.write({ pgid, startTime, marker, operation: "operations/1", bootId: readBootId(), owner });
  assert.deepEqual(await reapProcesses(processes, { timeoutMs: 0 }), [{ operation: "operations/1", pgid }]);
  assert.equal(records.read().length, 1);
  assert.deepEqual(await reapProcesses(processes), []);
});
