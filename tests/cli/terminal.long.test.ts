// The commands on a real terminal: a pseudo-terminal made by script(1) of util-linux.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { BelayProcess, belayCommand, type RunningServer, runBelay, serverOfSuite } from "./belay-process.ts";

const operationsFile = fileURLToPath(new URL("./operations.ts", import.meta.url));
const hasScript = /util-linux/.test(spawnSync("script", ["--version"], { encoding: "utf8" }).stdout ?? "");

describe("on a terminal", { skip: hasScript ? false : "script(1) of util-linux is not installed" }, () => {
  let server: RunningServer;
  let count = 0;

  serverOfSuite(["--operations", operationsFile], (started) => (server = started));

  /** `belay` on a terminal of the given width. */
  const onTerminal = (
    args: readonly string[],
    columns: number,
    env: Record<string, string> = {},
  ): BelayProcess => {
    const line = [...belayCommand, ...args].map((word) => `'${word}'`).join(" ");
    return new BelayProcess(["script", "-qec", `stty cols ${columns}; exec ${line}`, "/dev/null"], {
      env: { BELAY_SERVER: server.address, TERM: "xterm-256color", ...env },
      keepInput: true,
    });
  };

  const hold = async (): Promise<{ name: string; release(): void }> => {
    const until = join(server.folder, `terminal-${count++}`);
    const payload = JSON.stringify({ until });
    const env = { BELAY_SERVER: server.address };
    const { stdout } = await runBelay(["start", "test.hold", "--payload", payload], { env });
    return { name: stdout.trim(), release: () => writeFileSync(until, "") };
  };

  test("wait draws one bar over itself, and leaves only the outcome", async () => {
    const { name, release } = await hold();
    const wait = onTerminal(["wait", name], 120);
    await wait.says("stdout", /RUNNING \[#{12}-{18}\] 42% \S+ page 3 of 7/);
    release();
    const { code, stdout } = await wait.end();
    assert.equal(code, 0);
    // Until the bar is cleared there is no line feed: it is drawn over itself.
    const [bars, outcome] =
      stdout.split("\r\u001b[K").length > 1 ? splitAtLast(stdout, "\r\u001b[K") : ["\n", ""];
    assert.equal(bars.includes("\n"), false, JSON.stringify(stdout));
    assert.match(outcome, /state.*SUCCEEDED/);
    assert.ok(outcome.includes("\u001b[32mSUCCEEDED"), outcome);
  });

  test("no drawn line is wider than the terminal", async () => {
    const { name, release } = await hold();
    const wait = onTerminal(["wait", name], 50);
    await wait.says("stdout", /RUNNING/);
    release();
    const { stdout } = await wait.end();
    const drawn = stdout.split("\r").filter((part) => part.endsWith("\u001b[K") && part !== "\u001b[K");
    assert.ok(drawn.length > 0);
    for (const part of drawn) assert.ok(part.length - "\u001b[K".length < 50, JSON.stringify(part));
  });

  test("Ctrl-C removes the bar, says that the operation goes on, and exits with 130", async () => {
    const { name, release } = await hold();
    const wait = onTerminal(["wait", name], 120);
    await wait.says("stdout", /42%/);
    wait.child.stdin?.write("\u0003");
    const { code, stdout } = await wait.end();
    assert.equal(code, 130);
    assert.match(stdout, new RegExp(`\r\u001b\\[K(\\^C)?belay: stopped waiting; ${name} goes on`));
    release();
  });

  test("NO_COLOR turns the colours off", async () => {
    const { code, stdout } = await onTerminal(["list"], 120, { NO_COLOR: "1" }).end();
    assert.equal(code, 0);
    assert.match(stdout, /NAME +TYPE/);
    assert.equal(stdout.includes("\u001b["), false);
  });

  test("a table on a terminal has colours", async () => {
    const { stdout } = await onTerminal(["list"], 120).end();
    assert.ok(stdout.includes("\u001b[32mSUCCEEDED\u001b[39m"), stdout);
  });

  test("watch draws a table of bars, and leaves its last state", async () => {
    const [one, two] = [await hold(), await hold()];
    const watch = onTerminal(["watch", one.name, two.name], 120);
    await watch.says("stdout", /RUNNING.*\[#{8}-{12}\].* 42%[^\n]*page 3 of 7[\s\S]*2 operations, 2 RUNNING/);
    one.release();
    await watch.says("stdout", /1 SUCCEEDED, 1 RUNNING/);
    two.release();
    const { code, stdout } = await watch.end();
    assert.equal(code, 0);
    // The second drawing begins three lines up.
    const drawings = stdout.split("\u001b[3A\r");
    assert.ok(drawings.length > 1, JSON.stringify(stdout));
    assert.match(drawings.at(-1)!, /2 operations, 2 SUCCEEDED/);
  });

  test("exec gives the command the terminal itself", async () => {
    const exec = onTerminal(["exec", "--quiet", "--", "sh", "-c", "test -t 0 && test -t 1 && stty size"], 97);
    const { code, stdout } = await exec.end();
    assert.equal(code, 0, stdout);
    assert.match(stdout, / 97\r?\n/);
  });
});

function splitAtLast(text: string, separator: string): [string, string] {
  const index = text.lastIndexOf(separator);
  return [text.slice(0, index), text.slice(index + separator.length)];
}
