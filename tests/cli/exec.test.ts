// belay exec, as a process: the command's streams and exit code, and cancels from here and from afar.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { delay } from "../../src/base/timers.ts";
import {
  BelayProcess,
  belayCommand,
  type RunningServer,
  type RunResult,
  runBelay,
  serverOfSuite,
} from "./belay-process.ts";

describe("belay exec", () => {
  let server: RunningServer;

  serverOfSuite([], (started) => (server = started));

  const env = (): Record<string, string> => ({ BELAY_SERVER: server.address });
  const run = (...args: string[]): Promise<RunResult> => runBelay(args, { env: env() });
  const exec = (...args: string[]): BelayProcess =>
    new BelayProcess([...belayCommand, "exec", ...args], { env: env() });

  /** The name that exec tells, once the command itself has said that it runs. */
  const nameOf = async (belay: BelayProcess): Promise<string> => {
    await belay.says("stdout", /ready/);
    const [, name = ""] = await belay.says("stderr", /^belay: (operations\/\S+) /m);
    return name;
  };

  test("the command has this terminal's streams and environment, and its exit code is told", async () => {
    const { code, stdout, stderr } = await runBelay(
      ["exec", "--label", "team=ops", "--", "sh", "-c", 'cat; echo "$GREETING"; echo oops >&2; exit 7'],
      { env: { ...env(), GREETING: "hello" }, input: "from standard input\n" },
    );
    assert.equal(code, 7);
    assert.equal(stdout, "from standard input\nhello\n");
    assert.match(stderr, /^belay: operations\/\S+ \(belay cancel operations\/\S+ stops it\)\noops\n$/);
    const [, name = ""] = /(operations\/\S+)/.exec(stderr)!;
    const { type, state, labels, description } = JSON.parse((await run("get", name, "--json")).stdout);
    assert.match(type, /^exec\.local-[a-z0-9]+$/);
    assert.equal(state, "FAILED");
    assert.deepEqual(labels, { exec: "sh", team: "ops" });
    assert.match(description, /^sh -c cat; echo/);
  });

  test("the command does not get the worker's credential", async () => {
    const { stdout } = await runBelay(["exec", "--", "sh", "-c", 'echo "[$BELAY_WORKER_TOKEN]"'], {
      env: { ...env(), BELAY_WORKER_TOKEN: "secret" },
    });
    assert.equal(stdout, "[]\n");
  });

  test("a cancel from afar stops the whole process group, and exec says who asked", async () => {
    const belay = exec("--", "sh", "-c", "echo ready; sleep 60 & wait");
    const name = await nameOf(belay);
    const cancelled = await run("cancel", name, "--reason", "not now", "--wait");
    assert.match(cancelled.stdout, /evidence PROCESS_EXITED/);
    const { code, stderr } = await belay.end();
    assert.equal(code, 143);
    assert.match(stderr, /^belay: cancelled: .*by anonymous, "not now"/m);
  });

  test("Ctrl-C cancels; a command that ignores SIGTERM is killed by the second", async () => {
    const belay = exec(
      "--grace",
      "1m",
      "--",
      "sh",
      "-c",
      "trap '' TERM; echo ready; while :; do sleep 0.1; done",
    );
    const name = await nameOf(belay);
    belay.child.kill("SIGINT");
    await belay.says("stderr", /cancelling; the same signal again stops it by force/);
    // Within half a second two signals are one wish (stop-signals.ts).
    await delay(600);
    belay.child.kill("SIGINT");
    const { code } = await belay.end();
    assert.equal(code, 130);
    const receipt = (await run("receipt", name)).stdout;
    assert.match(receipt, /^mechanism +SIGKILL$/m);
    assert.match(receipt, /^reason +SIGINT at its terminal$/m);
  });

  test("the types of single runs are neither kept nor listed", async () => {
    assert.equal((await run("exec", "--quiet", "--", "true")).code, 0);
    const refused = await run("start", "exec.unknown");
    assert.equal(refused.code, 1);
    assert.doesNotMatch(refused.stderr, /exec\.local-/);
  });

  for (const [what, args, message] of [
    ["a command that is not there", ["--", "no-such-command"], /could not be started/],
    ["a server that is not there", ["--server", "127.0.0.1:1", "--", "true"], /cannot reach 127.0.0.1:1/],
  ] as const) {
    test(`${what} exits with 125`, async () => {
      const { code, stderr } = await run("exec", "--quiet", ...args);
      assert.equal(code, 125);
      assert.match(stderr, message);
      assert.match(stderr, /^belay: [^\n]+\n$/);
    });
  }
});
