// The package as its users get it: packed, installed into an empty project, imported, type-checked and run.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { entryPoints, manifest, pack, root, runIn } from "./package-under-test.ts";

const project = mkdtempSync(join(tmpdir(), "belay-install-"));
after(() => rmSync(project, { recursive: true, force: true }));

before(async () => {
  const { filename } = await pack("--pack-destination", project);
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({ name: "user", private: true, type: "module" }),
  );
  const types = (
    JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      devDependencies: Record<string, string>;
    }
  ).devDependencies["@types/node"];
  const flags = ["--no-audit", "--no-fund", "--loglevel=error"];
  await runIn(project, "npm", "install", ...flags, `./${filename}`, `@types/node@${types}`);
});

test("every entry point can be imported and exports something", async () => {
  for (const entry of entryPoints) {
    const script = `const module = await import(${JSON.stringify(entry)}); console.log(Object.keys(module).sort().join());`;
    const names = await runIn(project, process.execPath, "--input-type=module", "-e", script);
    assert.notEqual(names.trim(), "", `${entry} exports nothing`);
  }
});

test("a path that is no entry point cannot be imported", async () => {
  const script = `await import("${manifest.name}/dist/engine/transition.js");`;
  await assert.rejects(
    runIn(project, process.execPath, "--input-type=module", "-e", script),
    /ERR_PACKAGE_PATH_NOT_EXPORTED/,
  );
});

test("the types of every entry point resolve in a strict project, without skipLibCheck for ours", async () => {
  const imports = entryPoints.map(
    (entry, i) => `import * as entry${i} from "${entry}";\nexport { entry${i} };`,
  );
  writeFileSync(join(project, "imports.ts"), `${imports.join("\n")}\n`);
  writeFileSync(
    join(project, "handler.ts"),
    `import { connect, defineOperation, type OperationDefinition } from "${manifest.name}";
export const operations: OperationDefinition[] = [
  defineOperation({ type: "user.echo", graceMs: 1000 }, async (context, input) => {
    context.progress(50, "half");
    return context.signal.aborted ? undefined : input;
  }),
];
// @ts-expect-error: a type is needed
defineOperation({}, async () => undefined);
export async function main(): Promise<string> {
  await using client = await connect("127.0.0.1:8080");
  const operation = await client.start("user.echo", { payload: { a: 1 } });
  return operation.name;
}
`,
  );
  const options = {
    strict: true,
    module: "nodenext",
    target: "es2023",
    lib: ["es2023", "esnext.disposable"],
    types: ["node"],
  };
  const compilerOptions = {
    ...options,
    noEmit: true,
    skipLibCheck: false,
    allowImportingTsExtensions: false,
  };
  writeFileSync(
    join(project, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: ["imports.ts", "handler.ts"] }),
  );
  const output = await runIn(
    project,
    join(root, "node_modules/.bin/tsc"),
    "-p",
    ".",
    "--pretty",
    "false",
  ).catch((error: { stdout: string }) => error.stdout);
  // Declarations of others may not be written for every setting; ours and the user's own must be.
  const ours = output
    .split("\n")
    .filter(
      (line) => line !== "" && (!line.startsWith("node_modules/") || line.includes("node_modules/belayd/")),
    );
  assert.deepEqual(ours, []);
});

test("npx belay --version prints the version", async () => {
  assert.equal((await runIn(project, "npx", "--no-install", "belay", "--version")).trim(), manifest.version);
});

test("the installed server starts, serves an operation and stops", async () => {
  const script = `
    import { spawn } from "node:child_process";
    import { once } from "node:events";
    const child = spawn("npx", ["--no-install", "belay", "serve", "--port", "0", "--data", "data", "--exec", "hello=echo hello"], { detached: true });
    let output = "";
    for await (const chunk of child.stdout) {
      output += chunk;
      const match = /serving on (http:\\S+)/.exec(output);
      if (!match) continue;
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify({ type: "exec.hello" });
      const started = await (await fetch(match[1] + "/v1/operations", { method: "POST", headers, body })).json();
      for (let done = false; !done; ) {
        const operation = await (await fetch(match[1] + "/v1/" + started.name)).json();
        done = operation.done === true;
        if (done) console.log(operation.response.value.stdout);
      }
      break;
    }
    const exited = once(child, "exit");
    process.kill(-child.pid, "SIGTERM");
    await exited;`;
  const output = await runIn(project, process.execPath, "--input-type=module", "-e", script);
  assert.equal(output.trim(), "hello");
});
