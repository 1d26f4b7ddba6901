// `npm start`: `belay serve` with the example operations, and three lines to paste once it answers. Flags after `--`
// go to serve: npm start -- --port 9000.
import { existsSync } from "node:fs";
import { createRequire, enableCompileCache } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type * as Program from "../src/cli/program.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The examples that can run here. */
function exampleFiles(): string[] {
  const files = [join(root, "examples/exec/operations.ts")];
  try {
    createRequire(join(root, "examples/ocr/package.json")).resolve("tesseract.js");
    files.unshift(join(root, "examples/ocr/operations.ts"));
  } catch {
    console.error("belay: ocr.recognize is left out: tesseract.js is not installed; npm install gets it");
  }
  return files;
}

/** What to start, best first: the first type that is served. */
const samples: readonly { type: string; payload: object }[] = [
  { type: "ocr.recognize", payload: { document: "letter" } },
  { type: "exec.countdown", payload: { from: 60 } },
];

/**
 * One line each, for sh, bash and zsh: in braces and quotes, because zsh takes `$NAME:cancel` for NAME with the modifier
 * `:c`, and `?` for a pattern. The name is cut out with sed, so that nothing but curl has to be installed.
 */
function curlLines(url: string, { type, payload }: { type: string; payload: object }): string[] {
  const body = JSON.stringify({ type, payload });
  const cut = `tr -d '\\n' | sed -E 's/.*"name": ?"([^"]+)".*/\\1/'`;
  return [
    `NAME=$(curl -s ${url}/v1/operations -H 'content-type: application/json' -d '${body}' | ${cut})`,
    `curl -s -w '\\n' "${url}/belay/v1/\${NAME}?prettyPrint=true"`,
    `curl -s -w '\\n' -X POST "${url}/v1/\${NAME}:cancel"`,
  ];
}

function printWhatToTry({ url, operationTypes }: { url: string; operationTypes: readonly string[] }): void {
  const sample = samples.find(({ type }) => operationTypes.includes(type));
  if (!sample) return;
  const [start, get, cancel] = curlLines(url, sample);
  const steps = [
    ["start work", start],
    ["see how far it is", get],
    ["cancel it, and look again", cancel],
  ];
  console.log(`\nIn another terminal:\n\n${steps.map(([what, line]) => `# ${what}\n${line}`).join("\n")}\n`);
}

// Before the first import of the program: what it loads is then compiled once, not at each start.
enableCompileCache();
const programFile = join(root, "dist/cli/program.js");
if (existsSync(programFile)) {
  const { runCli } = (await import(pathToFileURL(programFile).href)) as typeof Program;
  const operations = exampleFiles().flatMap((file) => ["--operations", file]);
  const { BELAY_LOG_LEVEL: level = "warn" } = process.env;
  await runCli(["serve", "--log-level", level, ...operations, ...process.argv.slice(2)], {
    serving: printWhatToTry,
  });
} else {
  console.error("belay: it is not built; npm start builds it first (node scripts/setup.js)");
  process.exitCode = 1;
}
