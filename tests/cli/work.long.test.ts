// belay work, as a process of its own: it serves a server elsewhere, drains on SIGTERM, and outlives the server's restart.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  BelayProcess,
  belayCommand,
  type RunningServer,
  runBelay,
  startServer,
  temporaryFolder,
} from "./belay-process.ts";

const operationsFile = fileURLToPath(new URL("./operations.ts", import.meta.url));

async function startWorker(t: TestContext, server: RunningServer, ...args: string[]): Promise<BelayProcess> {
  const env = { BELAY_SERVER: server.address };
  const command = [
    ...belayCommand,
    "work",
    operationsFile,
    "--name",
    "w1",
    "--log-level",
    "error",
    ...args,
  ] as const;
  const worker = new BelayProcess([...command], { env });
  t.after(async () => {
    worker.child.kill("SIGKILL");
    await worker.end();
  });
  await worker.says("stdout", /^belay: worker w1 serves test\.crash, test\.echo, .* for /m);
  return worker;
}

const cli = async (server: RunningServer, ...args: string[]): Promise<string> => {
  const { stdout, stderr, code } = await runBelay(args, { env: { BELAY_SERVER: server.address } });
  assert.equal(code, 0, stderr);
  return stdout;
};

test("SIGTERM drains a worker: what runs may end, and then it exits with 0", async (t) => {
  const server = await startServer(t);
  const worker = await startWorker(t, server, "--slots", "2");
  assert.match(await cli(server, "workers"), /^w1 +\S+ +2 +0 /m);
  const until = join(server.folder, "until");
  const name = (await cli(server, "start", "test.hold", "--payload", JSON.stringify({ until }))).trim();
  const watch = new BelayProcess([...belayCommand, "watch", name, "--server", server.address]);
  await watch.says("stdout", /RUNNING 42%/);
  worker.child.kill("SIGTERM");
  await worker.says("stderr", /draining; running work has 30\.0s to end/);
  writeFileSync(until, "");
  assert.equal((await worker.end()).code, 0);
  assert.match((await watch.end()).stdout, /SUCCEEDED {"held":true}/);
});

test("an error that nobody caught ends the worker, which names what ran and gives it back at once", async (t) => {
  const server = await startServer(t);
  const worker = await startWorker(t, server, "--lease", "10m");
  const name = (await cli(server, "start", "test.hold")).trim();
  const watch = new BelayProcess([...belayCommand, "watch", name, "--server", server.address]);
  await watch.says("stdout", /RUNNING 42%/);
  await cli(server, "start", "test.crash");
  const { code, stderr } = await worker.end();
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(`"running":\\[[^\\]]*${name}.*"msg":"an error was not caught; the worker ends"`),
  );
  assert.match(stderr, /belay: an error was not caught: thrown out of the handler/);
  assert.match((await watch.end()).stdout, /FAILED ABORTED: the worker shut down/);
  assert.doesNotMatch(await cli(server, "workers"), /w1/);
});

test("work and watch go on over a restart of the server", async (t) => {
  const folder = temporaryFolder(t);
  const first = await startServer(t, [], { cwd: folder });
  await startWorker(t, first);
  const until = join(folder, "until");
  const name = (await cli(first, "start", "test.hold", "--payload", JSON.stringify({ until }))).trim();
  const watch = new BelayProcess([...belayCommand, "watch", name, "--server", first.address]);
  await watch.says("stdout", /RUNNING 42%/);
  first.child.kill("SIGKILL");
  await first.end();
  const port = first.address.replace(/^.*:/, "");
  const second = new BelayProcess([...belayCommand, "serve", "--port", port, "--log-level", "warn"], {
    cwd: folder,
  });
  t.after(async () => {
    second.child.kill("SIGKILL");
    await second.end();
  });
  await second.says("stdout", /serving on/);
  writeFileSync(until, "");
  const { code, stdout } = await watch.end();
  assert.equal(code, 0, stdout);
  assert.match(stdout, /SUCCEEDED {"held":true}\n$/);
});

for (const [what, args, message] of [
  ["nothing to work on", [], /nothing to work on/],
  ["a file that is not there", ["./no-such-file.js"], /there is no such file/],
  ["a type that is declared twice", ["--exec", "a=true", "--exec", "a=false"], /exec\.a is declared twice/],
  [
    "a server that is not there",
    ["--exec", "a=true", "--server", "127.0.0.1:1"],
    /cannot reach 127\.0\.0\.1:1/,
  ],
] as const) {
  test(`belay work with ${what} says so`, async () => {
    const { code, stderr } = await runBelay(["work", "--log-level", "silent", ...args]);
    assert.equal(code, what === "a server that is not there" ? 5 : 78, stderr);
    assert.match(stderr, message);
  });
}
