// Every command against a real server, as processes: what goes to which stream, and the exit codes.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  BelayProcess,
  belayCommand,
  cleanEnvironment,
  type RunningServer,
  type RunResult,
  runBelay,
  serverOfSuite,
} from "./belay-process.ts";

const operationsFile = fileURLToPath(new URL("./operations.ts", import.meta.url));

describe("the commands", () => {
  let server: RunningServer;

  serverOfSuite(["--operations", operationsFile], (started) => (server = started));

  const run = (...args: string[]): Promise<RunResult> =>
    runBelay(args, { env: { BELAY_SERVER: server.address } });

  const start = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run("start", ...args);
    assert.equal(code, 0, stderr);
    return stdout.trim();
  };

  /** A held operation that has begun, and how to let it end. */
  const hold = async (): Promise<{ name: string; release(): void }> => {
    const until = join(server.folder, `release-${holds++}`);
    const name = await start("test.hold", "--payload", JSON.stringify({ until }));
    const wait = new BelayProcess([...belayCommand, "wait", name, "--server", server.address]);
    await wait.says("stderr", /42% page 3 of 7/);
    wait.child.kill("SIGINT");
    await wait.end();
    return { name, release: () => writeFileSync(until, "") };
  };
  let holds = 0;

  test("start prints the name alone, so that a shell variable can hold it", async () => {
    const { code, stdout, stderr } = await run("start", "test.echo");
    assert.equal(code, 0);
    assert.match(stdout, /^operations\/opr[a-z0-9]{17}\n$/);
    assert.equal(stderr, "");
  });

  test("start takes the payload from standard input", async () => {
    const env = { BELAY_SERVER: server.address };
    const started = await runBelay(["start", "test.echo", "--payload-file", "-", "--wait"], {
      env,
      input: '{"a": [1]}',
    });
    assert.equal(started.code, 0, started.stderr);
    assert.match(started.stdout, /^response +\{"a":\[1\]\}$/m);
  });

  test("start with the same request id answers the same operation; another body is refused", async () => {
    const first = await start("test.echo", "--request-id", "r1");
    assert.equal(await start("test.echo", "--request-id", "r1"), first);
    const other = await run("start", "test.echo", "--request-id", "r1", "--payload", '{"b": 1}');
    assert.equal(other.code, 1);
    assert.match(other.stderr, /^belay: request_id r1 was used with a different request\n$/);
  });

  test("get shows the operation, with or without operations/ in its name", async () => {
    const name = await start(
      "test.echo",
      "--description",
      "for show",
      "--label",
      "team=ops",
      "--label",
      "b=c",
    );
    await run("wait", name);
    const shown = await run("get", name.replace("operations/", ""));
    assert.equal(shown.code, 0);
    assert.match(shown.stdout, new RegExp(`^name +${name}$`, "m"));
    assert.match(shown.stdout, /^state +SUCCEEDED$/m);
    assert.match(shown.stdout, /^labels +(team=ops b=c|b=c team=ops)$/m);
  });

  test("get --json prints one JSON document", async () => {
    const name = await start("test.echo", "--payload", '{"pages": 3}');
    await run("wait", name);
    const operation = JSON.parse((await run("get", name, "--json")).stdout);
    assert.equal(operation.name, name);
    assert.equal(operation.state, "SUCCEEDED");
    assert.deepEqual(operation.payload, { pages: 3 });
    assert.deepEqual(operation.response, {
      "@type": "type.googleapis.com/google.protobuf.Struct",
      value: { pages: 3 },
    });
  });

  test("wait shows changes on standard error and the outcome on standard output", async () => {
    const { name, release } = await hold();
    const wait = new BelayProcess([...belayCommand, "wait", name], { env: { BELAY_SERVER: server.address } });
    await wait.says("stderr", /42% page 3 of 7/);
    release();
    const { code, stdout, stderr } = await wait.end();
    assert.equal(code, 0);
    assert.match(stdout, /^state +SUCCEEDED$/m);
    assert.match(stderr, new RegExp(`^${name} RUNNING 42% page 3 of 7\n$`));
  });

  test("wait exits with 2 for FAILED, and shows the error in one line, safe for a terminal", async () => {
    const { code, stdout } = await run("wait", await start("test.fail"));
    assert.equal(code, 2);
    assert.equal(stdout.includes("\u001b"), false);
    assert.match(stdout, /^error +UNKNOWN: the page cannot be +\[31mread$/m);
  });

  test("wait exits with 6 when its time is over, and the operation goes on", async () => {
    const { name, release } = await hold();
    const { code, stderr } = await run("wait", name, "--timeout", "300ms");
    assert.equal(code, 6);
    assert.match(stderr, /is not done after 300ms; it goes on\n$/);
    release();
    assert.equal((await run("wait", name)).code, 0);
  });

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    test(`${signal} ends a wait with ${code}, not the operation`, async () => {
      const { name, release } = await hold();
      const wait = new BelayProcess([...belayCommand, "wait", name], {
        env: { BELAY_SERVER: server.address },
      });
      await wait.says("stderr", /RUNNING/);
      wait.child.kill(signal);
      const ended = await wait.end();
      assert.equal(ended.code, code);
      assert.match(
        ended.stderr,
        new RegExp(`belay: stopped waiting; ${name} goes on \\(belay cancel ${name} stops it\\)\n$`),
      );
      assert.match((await run("get", name)).stdout, /^state +RUNNING$/m);
      release();
    });
  }

  test("cancel says what it met; a second wait exits with 3 and the receipt tells the story", async () => {
    const { name } = await hold();
    const cancelled = await run("cancel", name, "--reason", "wrong file", "--wait");
    assert.equal(cancelled.code, 0, cancelled.stderr);
    assert.match(cancelled.stderr, new RegExp(`^${name} STOPPING: `));
    assert.match(cancelled.stdout, /^state +CANCELLED$/m);
    assert.match(cancelled.stdout, /evidence HANDLER_STOPPED/);
    assert.equal((await run("wait", name)).code, 3);

    const again = await run("cancel", name);
    assert.equal(again.code, 0);
    assert.match(again.stdout, / ALREADY_CANCELLED: /);

    const receipt = await run("receipt", name);
    assert.match(receipt.stdout, /^reason +wrong file$/m);
    assert.match(receipt.stdout, /^checkpoint +\{"pages":3\}$/m);
    assert.match(receipt.stdout, /^event +\S+ REQUESTED/m);
    assert.equal(JSON.parse((await run("receipt", name, "--json")).stdout).evidence, "HANDLER_STOPPED");
  });

  test("cancel of a done operation exits with 0 and says that it was too late", async () => {
    const name = await start("test.echo");
    await run("wait", name);
    const { code, stdout } = await run("cancel", name, "--json");
    assert.equal(code, 0);
    assert.equal(JSON.parse(stdout).verdict, "TOO_LATE_SUCCEEDED");
  });

  test("cancel of what cannot be cancelled exits with 7", async () => {
    const { code, stderr } = await run("cancel", await start("test.stubborn"));
    assert.equal(code, 7);
    assert.match(stderr, /^belay: operation operations\/\S+ of type test\.stubborn cannot be cancelled\n$/);
  });

  test("list filters and limits; the note about more is not in the table", async () => {
    for (const page of ["1", "2", "3"])
      await start("test.echo", "--label", `list=${page}`, "--label", "kind=listed");
    const listed = await run("list", "--filter", "labels.kind = listed", "--limit", "2");
    assert.equal(listed.code, 0, listed.stderr);
    const [header, ...rows] = listed.stdout.trimEnd().split("\n");
    assert.match(header!, /^NAME +TYPE +STATE +CREATED +PROGRESS$/);
    assert.equal(rows.length, 2);
    assert.match(listed.stderr, /^the first 2 are shown; --limit shows more\n$/);
    const all = JSON.parse((await run("list", "--filter", "labels.kind = listed", "--json")).stdout);
    assert.equal(all.operations.length, 3);
  });

  test("list of nothing prints no table", async () => {
    const { code, stdout, stderr } = await run("list", "--filter", 'labels.kind = "nothing"');
    assert.deepEqual([code, stdout, stderr], [0, "", "no operations\n"]);
  });

  test("delete hides the operation from list; get still shows it", async () => {
    const name = await start("test.echo", "--label", "kind=deleted");
    await run("wait", name);
    const deleted = await run("delete", name);
    assert.deepEqual([deleted.code, deleted.stdout], [0, `${name} deleted\n`]);
    assert.equal((await run("list", "--filter", "labels.kind = deleted")).stdout, "");
    assert.match((await run("get", name)).stdout, /^deleted +2/m);
  });

  test("a reader that goes away ends the output silently", async () => {
    const list = spawn(belayCommand[0], [...belayCommand.slice(1), "list", "--json", "--limit", "1000"], {
      env: cleanEnvironment({ BELAY_SERVER: server.address }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    list.stdout.destroy();
    let stderr = "";
    list.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const code = await new Promise((resolve) => list.once("close", resolve));
    assert.deepEqual([code, stderr], [0, ""]);
  });

  const missing = "operations/opr00000000000000000";
  const failures: readonly (readonly [number, RegExp, readonly string[]])[] = [
    [4, /^belay: operation operations\/opr0{17} is not found$/, ["get", missing]],
    [4, /not found/, ["wait", missing]],
    [4, /not found/, ["cancel", missing]],
    [4, /not found/, ["delete", missing]],
    [4, /not found/, ["receipt", missing]],
    [1, /known types: [^;]*test.echo/, ["start", "test.unknown"]],
    [1, /filter/, ["list", "--filter", "nonsense ="]],
    [5, /^belay: cannot reach 127.0.0.1:1: connection refused/, ["get", missing, "--server", "127.0.0.1:1"]],
    [5, /the host name is not known/, ["get", missing, "--server", "no-such-host.invalid:1"]],
    [5, /^belay: cannot reach 127.0.0.1:1: /, ["get", missing, "--server", "https://127.0.0.1:1"]],
    [1, /http:\/\//, ["get", missing, "--server", "ftp://127.0.0.1:1"]],
    [1, /missing required argument 'name'/, ["get"]],
    [1, /unknown option '--nope'/, ["get", missing, "--nope"]],
    [1, /unknown command 'gte' \(Did you mean get\?\)/, ["gte", "x"]],
    [1, /too many arguments/, ["get", missing, "another"]],
    [1, /--payload is not JSON/, ["start", "test.echo", "--payload", "{"]],
    [1, /--payload is not a JSON object/, ["start", "test.echo", "--payload", "[1]"]],
    [1, /cannot read the payload/, ["start", "test.echo", "--payload-file", "/no/such/file"]],
    [1, /write key=value/, ["start", "test.echo", "--label", "team"]],
    [1, /write a duration such as/, ["wait", missing, "--timeout", "3"]],
    [1, /write a whole number 1-/, ["list", "--limit", "0"]],
  ];
  for (const [code, message, args] of failures) {
    test(`belay ${args.join(" ")} exits with ${code} and one line`, async () => {
      const result = await run(...args);
      assert.equal(result.code, code, result.stderr);
      assert.equal(result.stdout, "");
      assert.match(result.stderr.trimEnd(), message);
      assert.match(result.stderr, /^belay: [^\n]+\n$/);
    });
  }
});

test("belay without a command shows its help on standard error and exits with 1", async () => {
  const { code, stdout, stderr } = await runBelay([]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /^Usage: belay /);
});

test("belay --version and --help answer on standard output", async () => {
  assert.match((await runBelay(["--version"])).stdout, /^\d+\.\d+\.\d+\n$/);
  assert.match((await runBelay(["--help"])).stdout, /^Usage: belay /);
  assert.match((await runBelay(["help", "cancel"])).stdout, /Examples:\n {2}belay cancel/);
});
