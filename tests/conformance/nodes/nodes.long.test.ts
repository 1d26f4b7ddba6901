// Any number of nodes on one database: whatever a client does at one of them, the others know, by push and without it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { State } from "../../../src/client/client.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import {
  type GroupWorker,
  type NodeGroup,
  startGroupWorker,
  startNodes,
  type TestNode,
} from "./node-group.ts";

/** How long a cancel may take from the call at one node to the handler's signal behind another, on a machine with much to do. */
const limits = { push: 1000, poll: 3000 };

for (const how of ["push", "poll"] as const) {
  describe(`four nodes that hear of each other by ${how}`, () => {
    let group: NodeGroup;
    let worker: GroupWorker;
    let nodes: readonly [TestNode, TestNode, TestNode, TestNode];

    before(async () => {
      group = await startNodes(4, { listens: how === "push" });
      const [one, two, three, four] = group.nodes;
      assert.ok(one && two && three && four);
      nodes = [one, two, three, four];
      worker = await startGroupWorker(four, `nodes.${how}`);
    });

    after(async () => {
      await worker[Symbol.asyncDispose]();
      await group[Symbol.asyncDispose]();
    });

    test("started on one, waited for on a second, cancelled on a third, worked on behind a fourth", async (context) => {
      const [one, two, three] = nodes;
      const delays: number[] = [];
      for (let round = 0; round < 10; round++) {
        // The type was declared at the fourth node, a moment ago.
        const { name } = await one.client.start(`nodes.${how}`, { payload: {} });
        await eventually("the work", () => worker.begun.includes(name));
        const waiting = two.client.wait(name);
        const start = performance.now();
        const { verdict } = await three.client.cancel(name, { reason: "not needed" });
        assert.equal(verdict, "STOPPING");
        await eventually("the signal", () => worker.aborted.has(name));
        delays.push((worker.aborted.get(name) ?? 0) - start);
        const ended = await waiting;
        assert.equal(ended.state, State.CANCELLED);
        assert.equal(ended.cancellation?.evidence, "HANDLER_STOPPED");
      }
      const sorted = delays.toSorted((a, b) => a - b).map((delay) => Math.round(delay * 10) / 10);
      context.diagnostic(`cancel call to signal, ${how}: p50 ${sorted[5]} ms, max ${sorted[9]} ms`);
      assert.ok((sorted[5] ?? 0) < limits[how], `${sorted}`);
    });

    test("a watch of one node tells the whole life of what others do", async () => {
      const [one, two, three] = nodes;
      const { name } = await one.client.start(`nodes.${how}`, { payload: {} });
      const states: State[] = [];
      const watching = (async () => {
        for await (const event of two.client.watch({ names: [name] })) {
          if (event.type === "caughtUp") continue;
          const { state } = event.event;
          if (states.at(-1) !== state) states.push(state);
          if (state === State.CANCELLED) return;
        }
      })();
      await eventually("the work", () => worker.begun.includes(name));
      await three.client.cancel(name);
      await watching;
      assert.deepEqual(states.slice(-1), [State.CANCELLED]);
    });

    test("a worker whose network leads to another node goes on there, and is told of cancels", async () => {
      const [one, two, , four] = nodes;
      const { name } = await one.client.start(`nodes.${how}`, { payload: {} });
      await eventually("the work", () => worker.begun.includes(name));
      const former = await group.workerNode(`nodes.${how}`);
      worker.proxy.leadTo(two.port);
      await eventually("the move", async () => (await group.workerNode(`nodes.${how}`)) !== former);
      assert.equal(worker.aborted.has(name), false, "nothing that runs notices");
      await four.client.cancel(name);
      const ended = await one.client.wait(name);
      assert.equal(ended.state, State.CANCELLED);
      assert.equal(ended.attempt, 1);
      worker.proxy.leadTo(four.port);
      await eventually("the way back", async () => (await group.workerNode(`nodes.${how}`)) === former);
    });

    test("a node that is killed takes nothing with it: its worker goes on at another one", async () => {
      const [one, two, three, four] = nodes;
      const { name } = await one.client.start(`nodes.${how}`, { payload: {} });
      await eventually("the work", () => worker.begun.includes(name));
      four.process.kill("SIGKILL");
      await four.process.exited();
      worker.proxy.leadTo(three.port);
      worker.finish();
      const ended = await two.client.wait(name);
      assert.equal(ended.state, State.SUCCEEDED);
      assert.equal(ended.attempt, 1);
    });
  });
}
