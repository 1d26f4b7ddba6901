// Whether work stopped, judged from outside: pids, files that grow, and the clock of the operating system.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { delay } from "../../src/base/timers.ts";
import { type BelayClient, connect, type Operation } from "../../src/client/client.ts";
import { State } from "../../src/protocol/gen/belay/v1/operations_pb.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { isAlive, readLines, stateName } from "./outside.ts";
import { freePort, ServerProcess, type ServerProcessOptions } from "./server-process.ts";

const folder = mkdtempSync(join(tmpdir(), "belay-stop-"));
const runs = join(folder, "runs");
let options: ServerProcessOptions;
let server: ServerProcess;
let client: BelayClient;
let files = 0;

before(async () => {
  const operations = new URL("./fault-operations.ts", import.meta.url);
  options = {
    port: await freePort(),
    data: join(folder, "data"),
    operations,
    env: { BELAY_TEST_RUNS: runs },
  };
  server = await ServerProcess.start(options);
  client = connect(`127.0.0.1:${options.port}`);
});

after(async () => {
  client.close();
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** Fresh files for one operation of kind process or thread. */
function trace(): { pids: string; beats: string } {
  files++;
  return { pids: join(folder, `pids-${files}`), beats: join(folder, `beats-${files}`) };
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

async function assertNoMoreBeats(file: string): Promise<void> {
  const size = sizeOf(file);
  await delay(300); // six beats of a process that lives
  assert.equal(sizeOf(file), size, "the work still beats");
}

async function begun(name: string): Promise<void> {
  await eventually(`${name} begins`, () =>
    readLines(runs).some((line) => line.includes(name) && line.includes("begin")),
  );
}

function ended(name: string): Promise<Operation> {
  return client.wait(name, { timeoutMs: 20_000 });
}

test("a process group that is stopped by SIGSTOP dies when its operation is cancelled", async () => {
  const { pids, beats } = trace();
  const { name } = await client.start("fault.process", { payload: { pids, beats } });
  await eventually("the group runs", () => sizeOf(beats) > 0 && readLines(pids).length > 0);
  const [leader, grandchild] = (readLines(pids)[0] ?? "").split(" ").map(Number);
  assert.ok(leader && grandchild && isAlive(leader) && isAlive(grandchild));
  process.kill(-leader, "SIGSTOP");
  const { verdict } = await client.cancel(name, { reason: "stopped group" });
  assert.equal(verdict, "STOPPING");
  const operation = await ended(name);
  assert.equal(stateName(operation.state), "CANCELLED");
  assert.equal(operation.cancellation?.evidence, "PROCESS_EXITED");
  assert.ok(
    !isAlive(leader) && !isAlive(grandchild),
    "CANCELLED was said while a process of the group lived",
  );
  await assertNoMoreBeats(beats);
});

test("a thread that never yields is terminated after its grace", async () => {
  const { beats } = trace();
  const { name } = await client.start("fault.thread", { payload: { beats } });
  await eventually("the work beats", () => sizeOf(beats) > 0);
  await client.cancel(name, { reason: "busy" });
  const operation = await ended(name);
  assert.equal(stateName(operation.state), "CANCELLED");
  assert.equal(operation.cancellation?.evidence, "THREAD_TERMINATED");
  assert.equal(operation.cancellation?.mechanism, "TERMINATE");
  await assertNoMoreBeats(beats);
});

test("a handler that ignores its signal ends STOP_UNCONFIRMED in time, and is confirmed once it is gone", async () => {
  const { name } = await client.start("fault.deaf");
  await begun(name);
  await client.cancel(name, { reason: "deaf" });
  const operation = await ended(name);
  assert.equal(stateName(operation.state), "FAILED");
  assert.match(operation.result.case === "error" ? operation.result.value.message : "", /STOP_UNCONFIRMED/);
  assert.ok(
    !readLines(runs).some((line) => line.includes(name) && line.includes("finished")),
    "it had stopped",
  );
  await eventually("the stop is confirmed", async () => (await client.receipt(name)).stopConfirmedTime);
  assert.ok(readLines(runs).some((line) => line.includes(name) && line.includes("finished")));
  const receipt = await client.receipt(name);
  assert.equal(receipt.evidence, "HANDLER_STOPPED");
  assert.equal(receipt.events.at(-1)?.kind, "CONFIRMED_LATER");
  const next = await client.start("fault.quick"); // the worker takes work again
  assert.equal(stateName((await ended(next.name)).state), "SUCCEEDED");
});

test("a handler that outlives its attempt's time is not said to be CANCELLED before it is gone", async () => {
  const { name } = await client.start("fault.deaf-late");
  await begun(name);
  await eventually(
    "the attempt's time is over",
    async () => (await client.get(name)).state === State.PENDING,
  );
  const { verdict } = await client.cancel(name, { reason: "timed out" });
  assert.equal(verdict, "STOPPING");
  const operation = await ended(name);
  const runsOf = (event: string): number =>
    readLines(runs).filter((line) => line.includes(name) && line.includes(event)).length;
  assert.equal(runsOf("finished"), 1, "CANCELLED was said while the handler ran");
  assert.equal(stateName(operation.state), "CANCELLED");
  assert.equal(operation.cancellation?.evidence, "HANDLER_STOPPED");
  assert.equal(runsOf("begin"), 1, "it ran again");
});

test("a server that was stopped in mid-cancel does not mistake its own pause for a handler that would not stop", async () => {
  const { pids, beats } = trace();
  const { name } = await client.start("fault.process", { payload: { pids, beats } });
  await eventually("the work beats", () => sizeOf(beats) > 0);
  await client.cancel(name, { reason: "pause" });
  server.kill("SIGSTOP");
  await delay(5000); // longer than grace and kill window together
  server.kill("SIGCONT");
  const operation = await ended(name);
  assert.equal(stateName(operation.state), "CANCELLED");
  await assertNoMoreBeats(beats);
});

test("kill -9 in mid-cancel: no child is left, and after the restart the operation is CANCELLED and never ran again", async () => {
  const { pids, beats } = trace();
  const { name } = await client.start("fault.process", { payload: { pids, beats } });
  await eventually("the work beats", () => sizeOf(beats) > 0);
  const [leader] = (readLines(pids)[0] ?? "").split(" ").map(Number);
  process.kill(-(leader ?? 0), "SIGSTOP"); // so that the cancel cannot end before the server does
  await client.cancel(name, { reason: "crash" });
  server.kill("SIGKILL");
  await server.exited();
  await eventually("the group is gone", () => !isAlive(leader ?? 0), { timeoutMs: 5000 });
  server = await ServerProcess.start(options);
  const operation = await ended(name);
  assert.equal(stateName(operation.state), "CANCELLED");
  assert.equal(operation.cancellation?.evidence, "LEASE_EXPIRED");
  assert.equal(readLines(pids).length, 1, "it ran again");
  await assertNoMoreBeats(beats);
});

test("kill -9 in mid-work: the operation runs again, as often as its attempts allow", async () => {
  const { pids, beats } = trace();
  const { name } = await client.start("fault.process", { payload: { pids, beats } });
  await eventually("the group runs", () => readLines(pids).length === 1 && sizeOf(beats) > 0);
  server.kill("SIGKILL");
  await server.exited();
  server = await ServerProcess.start(options);
  await eventually("the second attempt runs", () => readLines(pids).length === 2);
  const [first, second] = readLines(pids).map((line) => Number(line.split(" ")[0]));
  assert.ok(!isAlive(first ?? 0) && isAlive(second ?? 0));
  await client.cancel(name);
  assert.equal(stateName((await ended(name)).state), "CANCELLED");
  assert.ok(!isAlive(second ?? 0));
});

test("SIGTERM ends the server in order: held waits are answered, nothing is lost", async () => {
  const { name } = await client.start("fault.long");
  await begun(name);
  const waiting = client.operation(name).get();
  await waiting;
  server.kill("SIGTERM");
  const { code } = await server.exited();
  assert.equal(code, 0);
  assert.doesNotMatch(readFileSync(runs, "utf8"), /undefined/);
  server = await ServerProcess.start(options);
  const { state } = await client.get(name);
  assert.ok(state === State.RUNNING || state === State.PENDING, stateName(state));
  await client.cancel(name);
  assert.equal(stateName((await ended(name)).state), "CANCELLED");
});
