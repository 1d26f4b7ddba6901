// The suite of requirements against a server that is somebody else's: `belay serve` in a process of its own, by address alone,
// once with its services told apart by name and once by port. It takes a minute or more: retention is looked at once a minute.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { cleanEnvironment, startServer } from "../../cli/belay-process.ts";

const configFile = fileURLToPath(new URL("./belay.yaml", import.meta.url));
const suiteFile = fileURLToPath(new URL("./requirements.test.ts", import.meta.url));

/** Runs the suite; answers its exit code and what it printed. */
async function runSuite(url: string): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ["--test-reporter=tap", suiteFile], {
    env: cleanEnvironment({ BELAY_CONFORMANCE_URL: url }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.once("close", resolve);
  return { code: await promise, output };
}

test("the suite runs against any base URL, and against the ports of services", async (t) => {
  const server = await startServer(t, ["--config", configFile, "--service-port", "vault=0"]);
  const [, vault = ""] = await server.says("stdout", /service vault alone on (\S+)/);
  const urls = [
    `http://${server.address}`,
    JSON.stringify({ default: `http://${server.address}`, vault: `http://${vault}` }),
  ];
  const runs = await Promise.all(urls.map(runSuite));
  for (const { code, output } of runs) {
    const failed = output.split("\n").filter((line) => /^\s*not ok /.test(line));
    assert.deepEqual([code, failed], [0, []]);
    const [, passed = "0"] = /^# pass (\d+)$/m.exec(output) ?? [];
    const [, skipped = ""] = /^# skipped (\d+)$/m.exec(output) ?? [];
    // Those that need a hand inside the server, and the page.
    assert.ok(Number(passed) > 800 && skipped === "8", `${passed} passed, ${skipped} skipped`);
  }
});

test("a server that does not serve the suite's operations is told so, not failed row by row", async (t) => {
  const server = await startServer(t, ["--exec", "nothing=true"]);
  const { code, output } = await runSuite(`http://${server.address}`);
  assert.equal(code, 1);
  assert.match(
    output,
    /does not serve the suite's operations: operation type suite\.empty is not served here/,
  );
});
