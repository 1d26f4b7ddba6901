// What every worker does with work that nobody stops: results, progress, failures, further attempts, children, timeouts.
import assert from "node:assert/strict";
import { StatusCode } from "../../../src/base/status-code.ts";
import { responseJson } from "../../../src/client/client.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { calmClaim, claim, type Scene } from "./claim.ts";
import { errorOf, stateOf } from "./watched-work.ts";

export function runningClaims(scene: Scene): void {
  calmClaim(scene, "takes the input, and answers the result", async (team) => {
    const value = { text: "übergroß", list: [1, null, true, { deep: -0.5 }] };
    const work = await team.start("echo", { payload: { value } });
    const operation = await work.ends();
    assert.equal(stateOf(operation), "SUCCEEDED");
    assert.deepEqual(responseJson(operation), { echo: value });
    assert.equal(operation.attempt, 1);
  });

  calmClaim(scene, "shows progress while it works, and stores its checkpoint", async (team) => {
    const work = await team.start("partial");
    const operation = await work.becomes("shows both", ({ progress, checkpoint }) => progress && checkpoint);
    assert.deepEqual([operation.progress?.percent, operation.progress?.message], [40, "forty"]);
    assert.deepEqual(operation.checkpoint, { done: 412, of: 1000 });
    assert.equal(stateOf(operation), "RUNNING");
    await work.cancel();
    await work.ends();
  });

  calmClaim(scene, "a failure ends the operation, with its message", async (team) => {
    const work = await team.start("fail", { payload: { message: "the page is blank" } });
    const operation = await work.ends();
    assert.equal(stateOf(operation), "FAILED");
    assert.equal(errorOf(operation).code, StatusCode.UNKNOWN);
    assert.match(errorOf(operation).message, /the page is blank/);
    assert.deepEqual(work.log, ["begun 1"]);
  });

  calmClaim(
    scene,
    "a retryable failure lets it run again, and each attempt's error is listed",
    async (team) => {
      const work = await team.start("fail", { payload: { message: "busy", retryable: true } });
      const operation = await work.ends();
      assert.equal(stateOf(operation), "FAILED");
      assert.deepEqual(work.log, ["begun 1", "begun 2"]);
      assert.deepEqual(
        operation.attempts.map(({ attempt, outcome, error }) => [attempt, outcome, error?.message]),
        [
          [1, "RETRIED", "busy"],
          [2, "FAILED", "busy"],
        ],
      );
    },
  );

  calmClaim(scene, "the next attempt finds the checkpoint of the one before", async (team) => {
    const operation = await (await team.start("resume")).ends();
    assert.deepEqual(responseJson(operation), { resumedAt: 7 });
    assert.equal(operation.attempt, 2);
  });

  calmClaim(scene, "a child runs, and its parent gets its response", async (team) => {
    const payload = { child: team.type("echo"), childFolder: team.folder(), policy: "cancel" };
    const work = await team.start("parent", { payload });
    const operation = await work.ends();
    const child = operation.children[0]?.name;
    assert.deepEqual(work.log, [`child ${child}`]);
    assert.deepEqual(responseJson(operation), { child, response: { echo: null } });
  });

  calmClaim(scene, "a child that fails fails its parent, which names it", async (team) => {
    const payload = { child: team.type("fail"), childFolder: team.folder(), policy: "cancel" };
    const operation = await (await team.start("parent", { payload })).ends();
    assert.equal(stateOf(operation), "FAILED");
    assert.match(errorOf(operation).message, new RegExp(operation.children[0]?.name ?? "no child"));
  });

  claim(scene, "an attempt whose time is over is stopped, and the next one runs after it", async (team) => {
    await team.worker({ slots: 1 });
    const work = await team.start("again", { attemptTimeoutMs: 500, maxAttempts: 2 });
    const operation = await work.ends();
    assert.equal(stateOf(operation), "FAILED");
    assert.deepEqual(
      operation.attempts.map(({ outcome }) => outcome),
      ["TIMED_OUT", "TIMED_OUT"],
    );
    await eventually("the second attempt is stopped, too", () => work.log.length === 4);
    assert.deepEqual(
      work.log.map((line) => line.split("|")[0]?.split(" ").slice(0, 2).join(" ")),
      ["begun 1", "aborted lease-lost", "begun 2", "aborted lease-lost"],
    );
    // Its slot is free again.
    assert.equal(stateOf(await (await team.start("echo")).ends()), "SUCCEEDED");
  });
}
