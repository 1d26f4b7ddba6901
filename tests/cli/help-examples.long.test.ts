// Every example of every command's help, in the order of the help, in one shell: what a newcomer would type.
// The first example of serve is the server of all the others; those that run until they are stopped are stopped.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { commandExamples } from "../../src/cli/command-options.ts";
import { commandEntries, createProgram } from "../../src/cli/program.ts";
import { sharedPostgres } from "../postgres/shared-postgres.ts";
import { BelayProcess, belayCommand, temporaryFolder } from "./belay-process.ts";

/** Some sixty commands, one after the other. */
const SHELL_PATIENCE_MS = 100_000;

/** A folder for PATH with a `belay` in it. */
function belayOnPath(t: TestContext): string {
  const folder = join(temporaryFolder(t), "bin");
  mkdirSync(folder);
  const quoted = belayCommand.map((word) => `'${word}'`).join(" ");
  writeFileSync(join(folder, "belay"), `#!/bin/sh\nexec ${quoted} "$@"\n`);
  chmodSync(join(folder, "belay"), 0o755);
  const { PATH } = process.env;
  return `${folder}:${PATH}`;
}

function startExample(
  t: TestContext,
  line: string,
  options: { cwd: string; env: Record<string, string> },
): BelayProcess {
  const shell = new BelayProcess(["bash", "-c", `exec ${line}`], options);
  t.after(async () => {
    shell.child.kill("SIGKILL");
    await shell.end();
  });
  return shell;
}

/** The same lines on real databases in the place of those at db.example, which are empty at first. */
async function onDatabases(t: TestContext, lines: readonly string[]): Promise<string[]> {
  const server = await sharedPostgres();
  const made = new Map<string, string>();
  t.after(() => Promise.all([...made.values()].map((name) => server.dropDatabase(name))));
  const pattern = /postgres:\/\/belay@db\.example\/(\w+)/g;
  for (const [, name = ""] of lines.join("\n").matchAll(pattern))
    if (!made.has(name)) made.set(name, await server.createDatabase());
  return lines.map((line) => line.replace(pattern, (_, name: string) => server.url(made.get(name))));
}

test("every example in every help runs, in order", async (t) => {
  const program = await createProgram(() => true);
  const cwd = temporaryFolder(t);
  const PATH = belayOnPath(t);
  const told = commandEntries.map(({ name }) => {
    const command = program.commands.find((candidate) => candidate.name() === name)!;
    return { name, lines: commandExamples(command) };
  });
  const run = await onDatabases(
    t,
    told.flatMap(({ lines }) => lines),
  );
  const examples = told.map(({ name, lines }) => ({ name, lines: run.splice(0, lines.length) }));
  for (const { name, lines } of examples) assert.ok(lines.length > 0, `belay ${name} has no example`);

  const work = examples.find(({ name }) => name === "work");
  const [serve, ...others] = examples.filter((example) => example !== work);
  assert.equal(serve!.name, "serve");
  const [first, ...more] = serve!.lines;
  const server = startExample(t, first!, { cwd, env: { PATH, BELAY_PORT: "0" } });
  const [, address = ""] = await server.says("stdout", /serving on http:\/\/(\S+) /);

  await t.test("belay serve", async () => {
    for (const line of more) {
      const other = startExample(t, line, { cwd, env: { PATH } });
      await other.says("stdout", /serving on /);
      other.child.kill("SIGTERM");
      assert.equal((await other.end()).code, 0, line);
    }
  });

  await t.test("belay work", async () => {
    const module = new URL("./operations.ts", import.meta.url);
    writeFileSync(join(cwd, "operations.js"), `export { operations } from ${JSON.stringify(module.href)};\n`);
    const env = { PATH, BELAY_SERVER: address };
    await Promise.all(
      work!.lines.map(async (line) => {
        const worker = startExample(t, line, { cwd, env });
        await worker.says("stdout", /serves .* for /);
        worker.child.kill("SIGTERM");
        assert.equal((await worker.end()).code, 0, line);
      }),
    );
  });

  // One shell runs them all, so that NAME=... of one example is there in the next. It tells each exit code.
  const lines = others.flatMap((command) => command.lines);
  const script = lines.map((line, index) => `${line}\necho "example ${index} exited with $?" >&2`).join("\n");
  const shell = await new BelayProcess(["bash", "-c", script], {
    cwd,
    env: { PATH, BELAY_SERVER: address },
  }).end(SHELL_PATIENCE_MS);
  for (const [index, line] of lines.entries()) {
    await t.test(line, () => {
      assert.match(shell.stderr, new RegExp(`^example ${index} exited with 0$`, "m"), shell.stderr);
    });
  }
});
