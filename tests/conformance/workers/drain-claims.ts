// What every worker does on SIGTERM: no new work; what runs may finish; what may run again goes to another worker.
import assert from "node:assert/strict";
import { StatusCode } from "../../../src/base/status-code.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { claim, type Scene } from "./claim.ts";
import { errorOf, stateOf } from "./watched-work.ts";

export function drainClaims(scene: Scene): void {
  claim(
    scene,
    "SIGTERM drains: work finishes, goes back, or ends ABORTED, and the session ends at once",
    async (team) => {
      const first = await team.worker();
      const [finishing, single, again, command] = [
        await team.start("deaf"),
        await team.start("hold"),
        await team.start("again"),
        await team.start("command-again"),
      ];
      await Promise.all([finishing, single, again].map((work) => work.tells("begun 1")));
      const pids = await command.runsProcesses(2);
      const second = await team.worker();
      first.signal("SIGTERM");
      finishing.allow("release");
      assert.equal(stateOf(await finishing.ends()), "SUCCEEDED");
      const aborted = await single.ends();
      assert.deepEqual([stateOf(aborted), errorOf(aborted).code], ["FAILED", StatusCode.ABORTED]);
      assert.match(single.log[1] ?? "", /^aborted shutdown/);
      await again.tells("begun 2");
      await command.runsProcesses(4);
      assert.deepEqual(
        command.livingPids.filter((pid) => pids.includes(pid)),
        [],
      );
      assert.match(again.log[1] ?? "", /^aborted shutdown/);
      assert.equal((await first.process.end()).code, 0);
      assert.equal(await first.session(), undefined, "its session waits for its lease");
      const operation = await again.get();
      assert.equal(operation.worker, (await second.session())?.session);
      assert.deepEqual(
        operation.attempts.map(({ outcome }) => outcome),
        ["RELEASED"],
      );
      for (const work of [again, command]) {
        await work.cancel();
        assert.equal(stateOf(await work.ends()), "CANCELLED");
      }
    },
  );

  claim(
    scene,
    "a worker that drains begins nothing more, and what waits is another's first attempt",
    async (team) => {
      const first = await team.worker({ slots: 2 });
      const running = await team.start("deaf");
      await running.tells("begun 1");
      first.signal("SIGTERM");
      await eventually("it takes no more", async () => {
        const probe = await team.start("echo");
        const answered = await team.stage.client.wait(probe.name, { timeoutMs: 100 });
        return !answered.done;
      });
      const waiting = await team.start("hold");
      running.allow("release");
      assert.equal(stateOf(await running.ends()), "SUCCEEDED");
      assert.equal((await first.process.end()).code, 0);
      assert.deepEqual(waiting.log, []);
      await team.worker();
      await waiting.tells("begun 1");
      assert.equal((await waiting.get()).attempt, 1);
    },
  );
}
