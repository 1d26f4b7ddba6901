// What every worker does when its work is cancelled: who is told what, what comes first, and what counts as stopped.
import assert from "node:assert/strict";
import { StatusCode } from "../../../src/base/status-code.ts";
import { responseJson } from "../../../src/client/client.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { calmClaim, claim, type Scene } from "./claim.ts";
import { errorOf, kindsOf, msOf, stateOf } from "./watched-work.ts";

export function cancelClaims(scene: Scene): void {
  calmClaim(scene, "a cancel tells the handler why and by whom, and ends with its evidence", async (team) => {
    const work = await team.start("hold");
    await work.tells("begun 1");
    const { verdict } = await work.cancel({ reason: "too slow" });
    assert.equal(verdict, "STOPPING");
    const operation = await work.ends();
    const { cancellation } = operation;
    assert.equal(stateOf(operation), "CANCELLED");
    assert.deepEqual(work.log, ["begun 1", `aborted cancel too slow|${cancellation?.requestedBy}`]);
    assert.deepEqual([cancellation?.evidence, cancellation?.mechanism], ["HANDLER_STOPPED", "SIGNAL"]);
    assert.ok(msOf(cancellation?.deliverTime) <= msOf(cancellation?.acknowledgeTime));
    assert.deepEqual(kindsOf(await work.receipt()), [
      "REQUESTED",
      "DELIVERED",
      "ACKNOWLEDGED",
      "STOPPED",
      "ENDED",
    ]);
  });

  calmClaim(scene, "the receipt of a cancel holds the last checkpoint", async (team) => {
    const work = await team.start("partial");
    await work.tells("begun 1");
    await work.cancel();
    await work.ends();
    const receipt = await work.receipt();
    assert.deepEqual(receipt.checkpoint, { done: 412, of: 1000 });
    assert.deepEqual([receipt.outcome, receipt.attempt], ["CANCELLED", 1]);
  });

  calmClaim(scene, "work that finishes after the cancel has succeeded", async (team) => {
    const work = await team.start("finish");
    await work.tells("begun 1");
    assert.equal((await work.cancel()).verdict, "STOPPING");
    const operation = await work.ends();
    assert.equal(stateOf(operation), "SUCCEEDED");
    assert.deepEqual(responseJson(operation), { finished: true });
    assert.equal((await work.receipt()).outcome, "SUCCEEDED");
    assert.equal((await work.cancel()).verdict, "TOO_LATE_SUCCEEDED");
  });

  calmClaim(scene, "the steps of the clean-up run in reverse order before the end is told", async (team) => {
    const work = await team.start("cleanup");
    await work.tells("begun 1");
    await work.cancel({ reason: "tidy" });
    assert.equal(stateOf(await work.ends()), "CANCELLED");
    const { log } = work;
    assert.deepEqual(log.slice(-2), ["cleaned second", "cleaned first"]);
    assert.match(log[1] ?? "", /^aborted cancel tidy/);
  });

  calmClaim(scene, "an operation whose deadline passes is stopped, and has failed", async (team) => {
    const work = await team.start("hold", { deadline: new Date(Date.now() + 1_500) });
    await work.tells("begun 1");
    const operation = await work.ends();
    assert.deepEqual([stateOf(operation), errorOf(operation).code], ["FAILED", StatusCode.DEADLINE_EXCEEDED]);
    assert.match(work.log[1] ?? "", /^aborted deadline/);
    assert.equal(operation.cancellation?.evidence, "HANDLER_STOPPED");
  });

  sectionClaims(scene);

  calmClaim(scene, "a cancelled parent takes its child with it, and ends after it", async (team) => {
    const childFolder = team.folder();
    const payload = { child: team.type("hold"), childFolder, policy: "cancel" };
    const work = await team.start("parent", { payload });
    const child = await team.known((await work.tells("child ")).slice("child ".length), childFolder);
    await child.tells("begun 1");
    await work.cancel({ reason: "the whole family" });
    const [parentEnd, childEnd] = [await work.ends(), await child.ends()];
    assert.deepEqual([stateOf(parentEnd), stateOf(childEnd)], ["CANCELLED", "CANCELLED"]);
    assert.ok(msOf(childEnd.endTime) <= msOf(parentEnd.endTime));
    assert.match(child.log[1] ?? "", /^aborted parent /);
    assert.equal(childEnd.cancellation?.cause, "parent");
    const [receipt, childReceipt] = [await work.receipt(), await child.receipt()];
    assert.deepEqual(
      receipt.children.map(({ name }) => name),
      [child.name],
    );
    assert.deepEqual(
      childReceipt.parents.map(({ name }) => name),
      [work.name],
    );
  });

  calmClaim(scene, "a command that is deaf to SIGTERM is killed with its deaf child", async (team) => {
    const work = await team.start("command");
    const pids = await work.runsProcesses(2);
    assert.deepEqual(work.livingPids, pids);
    await work.cancel();
    const operation = await work.ends();
    assert.deepEqual(work.livingPids, [], "CANCELLED was said while a process of the group lived");
    const { evidence, mechanism } = operation.cancellation ?? {};
    assert.deepEqual([stateOf(operation), evidence, mechanism], ["CANCELLED", "PROCESS_EXITED", "SIGKILL"]);
    assert.ok(kindsOf(await work.receipt()).includes("ESCALATED"));
  });

  calmClaim(scene, "a cancel by force kills a command at once", async (team) => {
    const work = await team.start("command", { graceMs: 8_000 });
    await work.runsProcesses(2);
    await work.cancel({ force: true });
    const operation = await work.ends();
    assert.deepEqual(work.livingPids, []);
    const { requestTime, escalateTime, force } = operation.cancellation ?? {};
    assert.deepEqual([stateOf(operation), force], ["CANCELLED", true]);
    assert.ok(msOf(escalateTime) - msOf(requestTime) < 5_000, "it waited for the grace");
  });

  slotClaims(scene);
}

function sectionClaims(scene: Scene): void {
  calmClaim(
    scene,
    "a critical section holds the abort back, everybody sees why, and then it comes",
    async (team) => {
      const work = await team.start("section");
      await work.tells("section entered");
      await work.cancel({ reason: "later" });
      const deferred = await work.becomes("is deferred", ({ cancellation }) => cancellation?.deferredBy);
      assert.equal(deferred.cancellation?.deferredBy, "writing the index");
      const { reasons } = await team.stage.client.explain(work.name);
      assert.ok(
        reasons.some(({ code, text }) => code === "CRITICAL_SECTION" && text.includes("writing the index")),
      );
      assert.deepEqual(work.log, ["section entered"]);
      work.allow("go");
      const operation = await work.ends();
      assert.equal(stateOf(operation), "CANCELLED");
      assert.deepEqual(
        work.log.map((line) => line.split("|")[0]),
        ["section entered", "section left", "begun 1", "aborted cancel later"],
      );
      const kinds = kindsOf(await work.receipt());
      assert.ok(kinds.indexOf("DEFERRED") < kinds.indexOf("ACKNOWLEDGED"));
      assert.ok(!kinds.includes("CUT") && !kinds.includes("ESCALATED"), kinds.join());
      assert.equal(operation.cancellation?.deferredBy, "");
    },
  );

  calmClaim(scene, "a critical section that lasts too long is cut", async (team) => {
    const work = await team.start("cut");
    await work.tells("section entered");
    await work.cancel();
    const operation = await work.ends();
    assert.equal(stateOf(operation), "CANCELLED");
    assert.equal(work.log[1], "section cut");
    const kinds = kindsOf(await work.receipt());
    assert.deepEqual(
      kinds.filter((kind) => ["DEFERRED", "CUT", "ACKNOWLEDGED"].includes(kind)),
      ["DEFERRED", "CUT", "ACKNOWLEDGED"],
    );
    const { requestTime, acknowledgeTime } = operation.cancellation ?? {};
    assert.ok(msOf(acknowledgeTime) - msOf(requestTime) >= 290, "it was cut too early");
  });

  calmClaim(scene, "force cuts a critical section that holds a cancel back", async (team) => {
    const work = await team.start("section");
    await work.tells("section entered");
    await work.cancel();
    await work.becomes("is deferred", ({ cancellation }) => cancellation?.deferredBy);
    assert.equal((await work.cancel({ force: true })).verdict, "ALREADY_STOPPING");
    const operation = await work.ends();
    assert.equal(stateOf(operation), "CANCELLED");
    assert.equal(work.log[1], "section cut");
    const { requestTime, acknowledgeTime } = operation.cancellation ?? {};
    assert.ok(msOf(acknowledgeTime) - msOf(requestTime) < 4_000, "it waited for the section's time");
    const kinds = kindsOf(await work.receipt());
    assert.ok(kinds.includes("REPEATED") && kinds.includes("CUT"), kinds.join());
  });
}

function slotClaims(scene: Scene): void {
  claim(scene, "what is cancelled before a slot is free never begins", async (team) => {
    await team.worker({ slots: 1 });
    const first = await team.start("hold");
    await first.tells("begun 1");
    const [second, third] = [await team.start("hold"), await team.start("hold")];
    assert.equal((await second.cancel()).verdict, "PREVENTED_START");
    const operation = await second.ends();
    assert.deepEqual([stateOf(operation), operation.cancellation?.evidence], ["CANCELLED", "NEVER_STARTED"]);
    await first.cancel();
    await third.tells("begun 1");
    assert.deepEqual(second.log, []);
    assert.equal(operation.attempt, 0);
  });

  claim(
    scene,
    "a handler that ignores its abort is never said to have stopped, and takes no new work",
    async (team) => {
      const worker = await team.worker({ slots: 2, leaseMs: 4_000 });
      const work = await team.start("deaf");
      await work.tells("begun 1");
      await work.cancel({ reason: "deaf" });
      const operation = await work.ends();
      assert.deepEqual([stateOf(operation), errorOf(operation).code], ["FAILED", StatusCode.UNKNOWN]);
      assert.match(errorOf(operation).message, /STOP_UNCONFIRMED/);
      const { requestTime, cancelDeadline } = operation.cancellation ?? {};
      assert.ok(msOf(operation.endTime) - msOf(requestTime) >= 1_390, "the deadline is grace and kill time");
      assert.ok(msOf(operation.endTime) - msOf(cancelDeadline) < 1_000, "it ended long after its deadline");
      const next = await team.start("echo");
      await worker.nextHeartbeat();
      assert.equal(stateOf(await next.get()), "PENDING");
      const { reasons } = await team.stage.client.explain(next.name);
      assert.deepEqual(
        reasons.map(({ code }) => code),
        ["SESSION_STUCK"],
      );
      work.allow("release");
      await work.tells("released");
      const receipt = await eventually("the stop is confirmed", async () => {
        const seen = await work.receipt();
        return seen.stopConfirmedTime && seen;
      });
      assert.deepEqual([receipt.evidence, kindsOf(receipt).at(-1)], ["HANDLER_STOPPED", "CONFIRMED_LATER"]);
      assert.equal(stateOf(await work.get()), "FAILED");
      assert.equal(stateOf(await next.ends()), "SUCCEEDED");
    },
  );
}
