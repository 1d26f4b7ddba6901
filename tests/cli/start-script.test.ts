// What `npm start` runs, from dist/: it is ready, and the lines that it prints work when pasted.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { connect, State } from "../../src/client/client.ts";
import { BelayProcess, temporaryFolder } from "./belay-process.ts";

const script = fileURLToPath(new URL("../../scripts/start.ts", import.meta.url));

const shells = ["bash", "dash", "zsh"].filter((shell) => spawnSync(shell, ["-c", "true"]).status === 0);

test("the lines that npm start prints start, show and cancel an operation in every shell that is here", async (t) => {
  const data = join(temporaryFolder(t), "data");
  const server = new BelayProcess([process.execPath, script, "--port", "0", "--data", data]);
  t.after(async () => {
    server.child.kill("SIGKILL");
    await server.end();
  });
  await server.says("stdout", /npx belay watch .*\n/);
  const [, address = ""] = await server.says("stdout", /serving on http:\/\/(\S+) /);
  const lines = server.stdout.split("\n").filter((line) => /^(NAME=|curl )/.test(line));
  assert.equal(lines.length, 3, server.stdout);
  for (const line of lines) assert.ok(line.includes(`http://${address}/`), line);

  const commands = server.stdout.split("\n").filter((line) => line.startsWith("npx belay "));
  assert.deepEqual(commands, [
    `npx belay exec --server ${address} -- sleep 60`,
    `npx belay watch --server ${address}`,
  ]);

  assert.ok(shells.includes("bash"));
  using client = connect(address);
  for (const shell of shells) {
    await t.test(shell, async () => {
      const pasted = `${lines.join("\n")}\necho "name: $NAME"\n`;
      const { stdout, stderr, code } = await new BelayProcess([shell, "-c", pasted]).end();
      assert.equal(code, 0, stderr);
      const [, name = ""] = /^name: (operations\/opr[a-z0-9]{17})$/m.exec(stdout) ?? [];
      assert.match(stdout, new RegExp(`"name": "${name}"`), stdout);
      assert.match(stdout, /"state": "(PENDING|RUNNING)"/);
      assert.match(stdout, /^\{\}$/m);
      assert.equal((await client.wait(name, { timeoutMs: 15_000 })).state, State.CANCELLED);
    });
  }
});
