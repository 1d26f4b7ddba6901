// What the example in Python does: counts words, and leaves what it had counted when it is cancelled.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { responseJson } from "../../../src/client/client.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { BelayProcess } from "../../cli/belay-process.ts";
import { pythonExample, pythonWorker } from "./python-program.ts";
import { stateOf, WatchedWork } from "./watched-work.ts";
import { Stage } from "./worker-stage.ts";

export function describePythonExample(python: string): void {
  describe("the Python example", () => {
    let stage: Stage;
    let worker: BelayProcess;
    before(async () => {
      stage = await Stage.open(pythonWorker(python));
      worker = new BelayProcess(pythonExample(python, `127.0.0.1:${stage.port}`));
      const isListed = async (): Promise<boolean> =>
        (await stage.client.workers()).some(({ types }) => types.includes("python.words"));
      await eventually("the worker is listed", isListed, { timeoutMs: 20_000 });
    });
    after(async () => {
      worker.child.kill("SIGTERM");
      const { code } = await worker.end();
      await stage.close();
      assert.equal(code, 0, "SIGTERM did not end the worker in order");
    });

    const folderOf = (name: string, texts: Record<string, string>): string => {
      const folder = join(stage.folder, name);
      mkdirSync(folder);
      for (const [file, text] of Object.entries(texts)) writeFileSync(join(folder, file), text);
      return folder;
    };

    test("counts the words of a folder", async () => {
      const folder = folderOf("words", { "a.txt": "One two\nTWO three", "b.txt": "three, three." });
      const { name } = await stage.client.start("python.words", { payload: { folder } });
      const operation = await new WatchedWork(stage.client, name, folder).ends();
      assert.deepEqual(responseJson(operation), { files: 2, words: 6, most: { three: 3, two: 2, one: 1 } });
      assert.equal(operation.progress?.percent, 100);
    });

    test("a cancel leaves what was counted as the checkpoint", async () => {
      // Nobody can read on in the second file until somebody writes to it.
      const folder = folderOf("waiting", { "1.txt": "red red blue", "3.txt": "never counted" });
      const pipe = join(folder, "2.txt");
      assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
      const { name } = await stage.client.start("python.words", { payload: { folder } });
      const work = new WatchedWork(stage.client, name, folder);
      await work.becomes("has counted a file", ({ progress }) => progress);
      await work.cancel({ reason: "enough" });
      await work.becomes("is told", ({ cancellation }) => cancellation?.acknowledgeTime);
      const written = once(spawn("sh", ["-c", 'echo "blue sky" > "$1"', "sh", pipe]), "close");
      const operation = await work.ends();
      await written;
      assert.deepEqual(
        [stateOf(operation), operation.cancellation?.evidence],
        ["CANCELLED", "HANDLER_STOPPED"],
      );
      const { checkpoint } = await work.receipt();
      assert.deepEqual(checkpoint, { files: 2, words: { red: 2, blue: 2, sky: 1 } });
    });

    test("runs a program, and stops it", async () => {
      const { name } = await stage.client.start("python.command", {
        payload: { command: ["echo", "hello"] },
      });
      const echo = await new WatchedWork(stage.client, name, "").ends();
      assert.deepEqual(responseJson(echo), { exitCode: 0, output: "hello\n" });
      const started = await stage.client.start("python.command", { payload: { command: ["sleep", "1000"] } });
      const sleep = new WatchedWork(stage.client, started.name, "");
      await sleep.becomes("runs", (operation) => stateOf(operation) === "RUNNING");
      await sleep.cancel();
      assert.equal(stateOf(await sleep.ends()), "CANCELLED");
    });
  });
}
