// What every worker does when it loses its stream, its server, its lease or its life: within the lease nothing is lost, and
// past it nothing of its work runs. All pids and logs are looked at from outside.
import assert from "node:assert/strict";
import { StatusCode } from "../../../src/base/status-code.ts";
import { responseJson } from "../../../src/client/client.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { claim, type Scene, serverClaim } from "./claim.ts";
import { openProxy } from "./stream-proxy.ts";
import { errorOf, kindsOf, msOf, stateOf, type WatchedWork } from "./watched-work.ts";
import type { TeamWorker } from "./worker-stage.ts";

const LEASE_MS = 4_000;
/** The server settles a lost lease within this time of its end. */
const SETTLE_MS = 2_000;
/** So long that the lease ends before the cancel's own deadline does. */
const PATIENT = { graceMs: 8_000 };
/** Within which a worker of a cut stream comes back, surely, before it aborts anything. */
const LONG_LEASE_MS = 20_000;

export function leaseClaims(scene: Scene): void {
  streamClaims(scene);
  partitionClaims(scene);
  lostWorkerClaims(scene);
}

function streamClaims(scene: Scene): void {
  claim(
    scene,
    "a broken stream loses nothing within the lease: the session, the work, the cancels",
    async (team) => {
      await using proxy = await openProxy(team.stage.port);
      const worker = await team.worker({ leaseMs: LONG_LEASE_MS, port: proxy.port, slots: 3 });
      const session = (await worker.session())?.session;
      const [held, finishing, cancelled] = [
        await team.start("hold"),
        await team.start("deaf"),
        await team.start("hold", PATIENT),
      ];
      await Promise.all([held, finishing, cancelled].map((work) => work.tells("begun 1")));
      proxy.cut();
      finishing.allow("release");
      await finishing.tells("released");
      await cancelled.cancel({ reason: "while it was away" });
      const waiting = await team.start("echo");
      await eventually("the worker tries to come back", () => proxy.refused > 0);
      proxy.mend();
      assert.equal(stateOf(await finishing.ends()), "SUCCEEDED");
      assert.equal(stateOf(await cancelled.ends()), "CANCELLED");
      assert.match(cancelled.log[1] ?? "", /^aborted cancel while it was away/);
      assert.equal(stateOf(await waiting.ends()), "SUCCEEDED");
      assert.equal((await worker.session())?.session, session);
      // All of its slots are free again: as many run as it has.
      const more = [await team.start("hold"), await team.start("hold")];
      await Promise.all(more.map((work) => work.tells("begun 1")));
      assert.deepEqual([held.log, stateOf(await held.get())], [["begun 1"], "RUNNING"]);
      await held.cancel();
      assert.equal((await held.ends()).attempt, 1);
    },
  );

  serverClaim(scene, "a server that is killed and starts again finds its worker at work", async (team) => {
    const { stage } = team;
    const worker = await team.worker({ leaseMs: LONG_LEASE_MS });
    const session = (await worker.session())?.session;
    const [early, late] = [await team.start("deaf"), await team.start("deaf")];
    const command = await team.start("command");
    await Promise.all([early, late].map((work) => work.tells("begun 1")));
    const pids = await command.runsProcesses(2);
    await stage.killServer();
    early.allow("release");
    await early.tells("released");
    await stage.startServer();
    const end = await early.ends();
    assert.equal(stateOf(end), "SUCCEEDED", errorOf(end).message);
    late.allow("release");
    assert.equal(stateOf(await late.ends()), "SUCCEEDED");
    for (const work of [early, late]) assert.deepEqual(work.log, ["begun 1", "released"]);
    assert.equal((await worker.session())?.session, session);
    await command.cancel();
    assert.equal(stateOf(await command.ends()), "CANCELLED");
    assert.deepEqual([command.pids, command.livingPids], [pids, []]);
  });
}

function partitionClaims(scene: Scene): void {
  claim(
    scene,
    "a partition longer than the lease: the work stops by its end, and another worker does it",
    async (team) => {
      await using proxy = await openProxy(team.stage.port);
      const first = await team.worker({ leaseMs: LEASE_MS, port: proxy.port });
      const session = (await first.session())?.session;
      const work = await team.start("again");
      const late = await team.start("finish", { maxAttempts: 2 });
      const command = await team.start("command-again");
      const single = await team.start("hold");
      await Promise.all([work, late, single].map((each) => each.tells("begun 1")));
      const pids = await command.runsProcesses(2);
      proxy.cut();
      const second = await team.worker({ leaseMs: LONG_LEASE_MS });
      await work.tells("begun 2");
      assert.match(work.log[1] ?? "", /^aborted lease-lost/, "two workers ran it at the same time");
      await command.runsProcesses(4);
      assert.deepEqual(
        command.livingPids.filter((pid) => pids.includes(pid)),
        [],
        "two workers ran the command at the same time",
      );
      await late.tells("begun 2");
      const lost = await single.ends();
      assert.deepEqual([stateOf(lost), errorOf(lost).code], ["FAILED", StatusCode.ABORTED]);
      assert.match(single.log[1] ?? "", /^aborted lease-lost/);
      proxy.mend();
      await eventually("the first worker has a new session", async () => {
        const now = await first.session();
        return now && now.session !== session;
      });
      // What the first worker's handler had returned counts for nothing: it is the second's.
      const { state, worker, attempts } = await late.get();
      assert.equal(stateOf({ state } as never), "RUNNING");
      assert.equal(worker, (await second.session())?.session);
      assert.deepEqual(
        attempts.map(({ outcome }) => outcome),
        ["LEASE_EXPIRED"],
      );
      await late.cancel();
      assert.deepEqual(responseJson(await late.ends()), { finished: true });
    },
  );

  claim(
    scene,
    "cancelled while its worker is cut off: CANCELLED by the lease, and the work is gone",
    async (team) => {
      await using proxy = await openProxy(team.stage.port);
      const worker = await team.worker({ leaseMs: LEASE_MS, port: proxy.port });
      const works = [await team.start("hold", PATIENT), await team.start("again", PATIENT)];
      const command = await team.start("command", PATIENT);
      await Promise.all(works.map((work) => work.tells("begun 1")));
      await command.runsProcesses(2);
      await assertEndsByLease(worker, [...works, command], () => proxy.cut());
      for (const { log } of works) assert.match(log[1] ?? "", /^aborted lease-lost/);
    },
  );

  claim(
    scene,
    "a handler that ignores its abort does not outlive the lease: its process does not",
    async (team) => {
      await using proxy = await openProxy(team.stage.port);
      const worker = await team.worker({ leaseMs: LEASE_MS, port: proxy.port });
      const work = await team.start("deaf", PATIENT);
      await work.tells("begun 1");
      await assertEndsByLease(worker, [work], () => proxy.cut());
      const { signal } = await worker.process.end();
      assert.equal(signal, "SIGKILL");
      work.allow("release");
      assert.deepEqual(work.log, ["begun 1"]);
    },
  );
}

function lostWorkerClaims(scene: Scene): void {
  claim(
    scene,
    "a worker that is killed: its commands die with it, and its operations end by the table",
    async (team) => {
      const first = await team.worker({ leaseMs: LEASE_MS });
      const [cancelled, single, again] = [
        await team.start("command", PATIENT),
        await team.start("command"),
        await team.start("command-again"),
      ];
      await Promise.all([cancelled, single, again].map((work) => work.runsProcesses(2)));
      const pids = again.pids;
      first.signal("SIGSTOP"); // so that the cancel cannot reach it before it is gone
      await cancelled.cancel({ reason: "too late for it" });
      first.signal("SIGKILL");
      await first.process.end();
      await eventually("no process is left", () =>
        [cancelled, single, again].every((work) => work.livingPids.length === 0),
      );
      await team.worker();
      const end = await cancelled.ends();
      assert.deepEqual([stateOf(end), end.cancellation?.evidence], ["CANCELLED", "LEASE_EXPIRED"]);
      const lost = await single.ends();
      assert.deepEqual([stateOf(lost), errorOf(lost).code], ["FAILED", StatusCode.ABORTED]);
      await again.runsProcesses(4);
      assert.equal(stateOf(await again.get()), "RUNNING");
      await again.cancel();
      assert.equal((await again.ends()).attempt, 2);
      assert.deepEqual([again.pids.slice(0, 2), again.livingPids], [pids, []]);
      assert.deepEqual([cancelled.pids.length, single.pids.length], [2, 2], "one ran twice");
    },
  );

  claim(scene, "reserved work of a lost worker goes to another, and no attempt is counted", async (team) => {
    const first = await team.worker({ slots: 1 });
    first.signal("SIGSTOP");
    const work = await team.start("hold");
    await eventually("it is reserved", async () => (await first.session())?.reserved === 1);
    const second = await team.worker();
    first.signal("SIGKILL");
    // At once: the first one's lease has ten seconds left.
    await work.tells("begun 1", 8_000);
    assert.equal((await work.get()).worker, (await second.session())?.session);
    await work.cancel();
    assert.deepEqual([(await work.ends()).attempt, work.log.length], [1, 2]);
  });

  claim(
    scene,
    "a worker that is stopped past its lease changes nothing when it goes on, and ends",
    async (team) => {
      const first = await team.worker({ leaseMs: LEASE_MS });
      const [work, command, cancelled] = [
        await team.start("again"),
        await team.start("command-again"),
        await team.start("hold", PATIENT),
      ];
      await Promise.all([work, cancelled].map((each) => each.tells("begun 1")));
      const pids = await command.runsProcesses(2);
      first.signal("SIGSTOP");
      await cancelled.cancel();
      const second = await team.worker({ leaseMs: LONG_LEASE_MS });
      await command.runsProcesses(4);
      assert.deepEqual(
        command.livingPids.filter((pid) => pids.includes(pid)),
        [],
        "the command outlived the lease",
      );
      await work.tells("begun 2");
      const end = await cancelled.ends();
      assert.deepEqual([stateOf(end), end.cancellation?.evidence], ["CANCELLED", "LEASE_EXPIRED"]);
      first.signal("SIGCONT");
      assert.equal((await first.process.end()).signal, "SIGKILL");
      // A handler may hear its abort before the watchdog strikes, a few milliseconds after the process goes on.
      const told = work.log.filter((line) => !line.startsWith("aborted lease-lost"));
      assert.deepEqual([told, stateOf(await work.get())], [["begun 1", "begun 2"], "RUNNING"]);
      assert.deepEqual(
        cancelled.log.filter((line) => !line.startsWith("aborted")),
        ["begun 1"],
      );
      assert.equal((await work.get()).worker, (await second.session())?.session);
    },
  );
}

/** Cuts the worker off, cancels its work, and checks that all of it is gone when it is said to be CANCELLED, in time. */
async function assertEndsByLease(
  worker: TeamWorker,
  works: readonly WatchedWork[],
  cut: () => void,
): Promise<void> {
  cut();
  const heartbeat = msOf((await worker.session())?.heartbeatTime);
  for (const work of works) await work.cancel();
  for (const work of works) {
    const operation = await work.ends();
    assert.deepEqual(work.livingPids, [], "CANCELLED was said while a process of the group lived");
    const { evidence } = operation.cancellation ?? {};
    assert.deepEqual([stateOf(operation), evidence], ["CANCELLED", "LEASE_EXPIRED"]);
    const lateMs = msOf(operation.endTime) - heartbeat - LEASE_MS;
    assert.ok(lateMs >= 0 && lateMs < SETTLE_MS, `it ended ${lateMs} ms after the lease`);
    assert.ok(kindsOf(await work.receipt()).includes("STOPPED"));
  }
}
