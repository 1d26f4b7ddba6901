// `belay serve` as a process: its start, its refusals, its end, and what is left after a crash.
import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { delay, startInterval } from "../../src/base/timers.ts";
import { connect, responseJson, State } from "../../src/client/client.ts";
import { readProcessTable } from "../../src/worker/supervisor/process-table.ts";
import { BelayProcess, belayCommand, runBelay, startServer, temporaryFolder } from "./belay-process.ts";

const operationsFile = fileURLToPath(new URL("./operations.ts", import.meta.url));

test("the ready line names the address, both protocols and the data folder", async (t) => {
  const server = await startServer(t);
  assert.match(
    server.stdout,
    /^belay: serving on http:\/\/127\.0\.0\.1:\d+ \(REST and gRPC\), data in \.\/belay-data\n$/,
  );
  const answer = await fetch(`http://${server.address}/v1/operations`);
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), {});
});

test("SIGTERM ends an idle server with 0 and nothing on standard error", async (t) => {
  const server = await startServer(t);
  server.child.kill("SIGTERM");
  const { code, stderr } = await server.end();
  assert.equal(code, 0);
  // A machine so busy that the stop takes 300 ms is told that it is stopping.
  assert.match(stderr, /^(belay: stopping; [^\n]*\n)?$/);
});

test("a server that stops releases held waits and lets running work end", async (t) => {
  const server = await startServer(t, ["--operations", operationsFile, "--shutdown-grace", "20s"]);
  using client = connect(server.address);
  const until = join(server.folder, "release");
  const operation = await client.start("test.hold", { payload: { until } });
  await waitForProgress(client, operation.name);
  server.child.kill("SIGTERM");
  await server.says("stderr", /stopping; running work has 20.0s to end/);
  writeFileSync(until, "");
  assert.equal((await server.end()).code, 0);

  const again = await startServer(t, ["--operations", operationsFile], { cwd: server.folder });
  using second = connect(again.address);
  assert.equal((await second.wait(operation.name, { timeoutMs: 10_000 })).result.case, "response");
});

test("a second signal ends the server at once", async (t) => {
  const server = await startServer(t, ["--operations", operationsFile, "--shutdown-grace", "10m"]);
  using client = connect(server.address);
  const operation = await client.start("test.hold");
  await waitForProgress(client, operation.name);
  server.child.kill("SIGINT");
  await server.says("stderr", /stopping; running work has 10m00s to end/);
  // Sent again until it ends: what comes within half a second of the first is not a second wish.
  const repeat = startInterval(100, () => server.child.kill("SIGINT"));
  t.after(() => repeat.cancel());
  assert.equal((await server.end()).code, 130);
});

test("kill -9 leaves no child after the restart; lost work is ABORTED, a pending cancel ends CANCELLED", async (t) => {
  const commands = [
    "--exec",
    "nap=sleep 600",
    "--exec",
    `deaf=sh -c 'trap "" TERM; while :; do sleep 1; done'`,
  ];
  const first = await startServer(t, commands);
  using client = connect(first.address);
  const [lost, cancelled] = await Promise.all([client.start("exec.nap"), client.start("exec.deaf")]);
  await Promise.all([waitUntilBegun(client, lost.name), waitUntilBegun(client, cancelled.name)]);
  const records = await recordsOf(join(first.folder, "belay-data/processes"), 2);
  assert.equal((await client.cancel(cancelled.name, { graceMs: 60_000 })).verdict, "STOPPING");
  first.child.kill("SIGKILL");
  await first.end();

  const second = await startServer(t, commands, { cwd: first.folder });
  // A zombie is gone too: it runs nothing, and only waits for whoever inherited it to look.
  const alive = readProcessTable().filter(({ pgid, isAlive }) => isAlive && records.includes(pgid));
  assert.deepEqual(alive, []);
  using again = connect(second.address);
  const aborted = await again.get(lost.name);
  assert.equal(aborted.state, State.FAILED);
  assert.equal(
    aborted.result.case === "error" && aborted.result.value.code,
    10,
    "at most once is the default",
  );
  const ended = await again.get(cancelled.name);
  assert.equal(ended.state, State.CANCELLED);
  assert.equal(ended.attempt, 1);
});

test("BELAY_PORT, BELAY_DATA and BELAY_OPERATIONS are read, and flags win", async (t) => {
  const folder = temporaryFolder(t);
  const env = { BELAY_PORT: "0", BELAY_DATA: "./from-env", BELAY_OPERATIONS: operationsFile };
  const server = new BelayProcess([...belayCommand, "serve", "--data", "./from-flag"], { cwd: folder, env });
  t.after(() => server.child.kill("SIGKILL"));
  const [, address = ""] = await server.says("stdout", /serving on http:\/\/(\S+) .* data in \.\/from-flag/);
  assert.ok(existsSync(join(folder, "from-flag")) && !existsSync(join(folder, "from-env")));
  using client = connect(address);
  await client.start("test.echo");
});

test("a backup taken while the server runs is a whole database that another server opens", async (t) => {
  const server = await startServer(t, ["--operations", operationsFile]);
  using client = connect(server.address);
  const operation = await client.start("test.echo", { payload: { kept: true } });
  await operation.wait({ timeoutMs: 10_000 });
  const made = await runBelay(["backup", "copy.db"], { cwd: server.folder });
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stdout, /^copy\.db: \d+\.\d MiB\n$/);
  assert.equal(statSync(join(server.folder, "copy.db")).mode & 0o777, 0o600);
  const again = await runBelay(["backup", "copy.db"], { cwd: server.folder });
  assert.deepEqual([again.code, again.stderr], [1, "belay: copy.db exists already\n"]);

  const cwd = temporaryFolder(t);
  mkdirSync(join(cwd, "belay-data"));
  copyFileSync(join(server.folder, "copy.db"), join(cwd, "belay-data/belay.db"));
  const restored = await startServer(t, ["--operations", operationsFile], { cwd });
  using second = connect(restored.address);
  assert.deepEqual(responseJson(await second.get(operation.name)), { kept: true });
});

test("backup without a database exits with 8 and one line", async (t) => {
  const { code, stderr } = await runBelay(["backup", "copy.db"], { cwd: temporaryFolder(t) });
  assert.deepEqual([code, stderr], [8, "belay: there is no database belay-data/belay.db\n"]);
});

test("an error that no handler catches ends the server with one line and its log", async (t) => {
  const server = await startServer(t, ["--operations", operationsFile, "--log-level", "fatal"]);
  using client = connect(server.address);
  // The server may end before it answers.
  await client.start("test.crash").catch(() => undefined);
  const { code, stderr } = await server.end();
  assert.equal(code, 1);
  const [log = "", line] = stderr.split("\n");
  assert.match(JSON.parse(log).err.stack, /out of the handler/);
  assert.equal(line, "belay: an error was not caught: thrown out of the handler");
});

test("a port in use is one line", async (t) => {
  const listener = createServer().listen(0, "127.0.0.1");
  t.after(() => listener.close());
  await new Promise((resolve) => listener.once("listening", resolve));
  const { port } = listener.address() as { port: number };
  const { code, stdout, stderr } = await runBelay(["serve", "--port", String(port)], {
    cwd: temporaryFolder(t),
  });
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, new RegExp(`^belay: port ${port} on 127.0.0.1 is in use[^\n]*\n$`));
});

test("a second server on the same data folder is refused in one line", async (t) => {
  const server = await startServer(t);
  const { code, stderr } = await runBelay(["serve", "--port", "0"], { cwd: server.folder });
  assert.equal(code, 8);
  assert.match(stderr, /^belay: [^\n]*belay-data[^\n]*\n$/);
});

test("the worker takes no code from the payload of an exec operation: it arrives on standard input", async (t) => {
  const server = await startServer(t, ["--exec", "cat=cat -"]);
  using client = connect(server.address);
  const operation = await client.start("exec.cat", { payload: { "$(id)": "; rm -rf x" } });
  const ended = await operation.wait({ timeoutMs: 10_000 });
  const { stdout } = await runBelay(["get", ended.name, "--json", "--server", server.address]);
  assert.deepEqual(JSON.parse(JSON.parse(stdout).response.value.stdout), { "$(id)": "; rm -rf x" });
});

const refusals: readonly (readonly [string, number, RegExp, readonly string[], Record<string, string>])[] = [
  ["all interfaces", 7, /0\.0\.0\.0 .*loopback/, ["--host", "0.0.0.0"], {}],
  ["a foreign host name", 7, /example\.test .*loopback/, ["--host", "example.test"], {}],
  ["a port that is none", 78, /--port.*0-65535/, ["--port", "70000"], {}],
  ["a data folder below a file", 8, /taken/, ["--data", "./taken/data"], { taken: "" }],
  ["a data folder that is a file", 8, /taken is a file/, ["--data", "./taken"], { taken: "" }],
  ["an operations file that is missing", 78, /there is no such file/, ["--operations", "none.ts"], {}],
  [
    "an operations file that throws",
    78,
    /cannot be loaded: broken here/,
    ["--operations", "bad.ts"],
    { "bad.ts": 'throw new Error("broken\\nhere");' },
  ],
  [
    "an operations file without operations",
    78,
    /does not export `operations`/,
    ["--operations", "x.ts"],
    { "x.ts": "export const a = 1;" },
  ],
  [
    "two operations of one type",
    78,
    /exec\.a is declared twice/,
    ["--exec", "a=true", "--exec", "a=false"],
    {},
  ],
  ["an exec without a command", 78, /the command is empty/, ["--exec", "a="], {}],
  ["an unknown log level", 78, /--log-level/, ["--log-level", "loud"], {}],
  [
    "an operation whose policy is out of limits",
    78,
    /graceMs -1/,
    ["--operations", "p.ts"],
    {
      "p.ts": 'export const operations = [{ type: "a.b", kind: "process", command: ["true"], graceMs: -1 }];',
    },
  ],
  ["a flag that it does not know", 78, /--prot/, ["--prot", "1"], {}],
  ["a URL that is no store", 78, /--store is no URL/, ["--store", "mysql://a/b"], {}],
  [
    "a configuration file that is wrong",
    78,
    /belay\.yaml:1:7: port: /,
    ["--config", "belay.yaml"],
    { "belay.yaml": "port: many\n" },
  ],
];
for (const [what, code, message, args, files] of refusals) {
  test(`serve refuses ${what} with ${code} and one line`, async (t) => {
    const cwd = temporaryFolder(t);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
    const result = await runBelay(["serve", "--port", "0", ...args], { cwd });
    assert.equal(result.code, code, result.stderr);
    assert.equal(result.stdout, "");
    assert.match(result.stderr, /^belay: [^\n]+\n$/);
    assert.match(result.stderr, message);
  });
}

test("only serve loads the server: get loads neither fastify nor the store", async (t) => {
  const probe = join(temporaryFolder(t), "probe.cjs");
  const report = `${probe}.txt`;
  writeFileSync(
    probe,
    `process.on("exit", () => require("node:fs").writeFileSync(${JSON.stringify(report)},
      Object.keys(require("node:module")._cache).concat(process.moduleLoadList).join("\\n")));`,
  );
  await runBelay(["get", "x", "--server", "127.0.0.1:1"], { env: { NODE_OPTIONS: `--require=${probe}` } });
  const loaded = readFileSync(report, "utf8");
  assert.match(loaded, /grpc-js/);
  assert.doesNotMatch(loaded, /node_modules\/(fastify|pino|@grpc\/reflection)|sqlite/);
});

async function waitForProgress(client: ReturnType<typeof connect>, name: string): Promise<void> {
  while ((await client.get(name)).progress === undefined) await client.wait(name, { timeoutMs: 20 });
}

async function waitUntilBegun(client: ReturnType<typeof connect>, name: string): Promise<void> {
  while ((await client.get(name)).attempt === 0) await client.wait(name, { timeoutMs: 20 });
}

/** The process groups of the records, once there are `count` of them. */
async function recordsOf(folder: string, count: number): Promise<number[]> {
  for (;;) {
    const groups = readdirSync(folder).filter((file) => /^\d+\.json$/.test(file));
    if (groups.length >= count) return groups.map((file) => Number.parseInt(file, 10));
    await delay(20);
  }
}
