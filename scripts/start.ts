// `npm start`: `belay serve` with the example operations, and some lines to paste once it answers. Flags after `--`
// go to serve: npm start -- --port 9000.
import { existsSync } from "node:fs";
import { createRequire, enableCompileCache } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type * as Program from "../src/cli/program.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** An example, and the heavy package that it cannot run without. */
interface Example {
  folder: string;
  types: string;
  needs?: string;
}

const examples: readonly Example[] = [
  { folder: "ocr", types: "ocr.recognize and yandex.recognize", needs: "tesseract.js" },
  { folder: "automl-train", types: "automl.create-model and automl.train", needs: "mnist" },
  { folder: "vault-count", types: "vault.count and vault.count-artifacts" },
  { folder: "exec", types: "exec.countdown and exec.checksum" },
];

/** The examples that can run here; what is left out is told in one line each. */
async function exampleFiles(): Promise<string[]> {
  const files: string[] = [];
  for (const { folder, types, needs } of examples) {
    const home = join(root, "examples", folder);
    try {
      if (needs) createRequire(join(home, "package.json")).resolve(needs);
      files.push(join(home, "operations.ts"));
    } catch {
      console.error(`belay: ${types} are left out: ${needs} is not installed; npm install gets it`);
    }
  }
  const { missing } = await import("../examples/dai-ingest/ffmpeg.ts");
  const problem = missing();
  if (problem === null) files.push(join(root, "examples/dai-ingest/operations.ts"));
  else console.error(`belay: ${problem}`);
  return files;
}

/** Each service of the mission has the main port's number and some more, so that its clients need no host names. */
const serviceOffsets: Readonly<Record<string, number>> = { vault: 1, dai: 2, automl: 3, yandex: 4 };

/** The flags that give the services their ports; none if the caller gives some. */
function servicePortFlags(argv: readonly string[]): string[] {
  if (argv.some((word) => word.startsWith("--service-port") || word.startsWith("--config"))) return [];
  const at = argv.findIndex((word) => word === "--port" || word.startsWith("--port="));
  const text =
    at === -1 ? (process.env["BELAY_PORT"] ?? "8080") : (argv[at]?.split("=")[1] ?? argv[at + 1] ?? "");
  const main = Number(text);
  return Object.entries(serviceOffsets).flatMap(([service, offset]) => [
    "--service-port",
    `${service}=${main === 0 ? 0 : main + offset}`,
  ]);
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
  const server = url === "http://127.0.0.1:8080" ? "" : ` --server ${url.replace("http://", "")}`;
  const steps = [
    ["start work", start],
    ["see how far it is", get],
    ["cancel it, and look again", cancel],
    ["run a command of your own that can be cancelled from anywhere", `npx belay exec${server} -- sleep 60`],
    ["see what is live, as it changes", `npx belay watch${server}`],
  ];
  console.log(`\nIn another terminal:\n\n${steps.map(([what, line]) => `# ${what}\n${line}`).join("\n")}\n`);
}

// Before the first import of the program: what it loads is then compiled once, not at each start.
enableCompileCache();
const programFile = join(root, "dist/cli/program.js");
if (existsSync(programFile)) {
  const { runCli } = (await import(pathToFileURL(programFile).href)) as typeof Program;
  const operations = (await exampleFiles()).flatMap((file) => ["--operations", file]);
  const argv = process.argv.slice(2);
  const { BELAY_LOG_LEVEL: level = "warn" } = process.env;
  await runCli(["serve", "--log-level", level, ...operations, ...servicePortFlags(argv), ...argv], {
    serving: printWhatToTry,
  });
} else {
  console.error("belay: it is not built; npm start builds it first (node scripts/setup.js)");
  process.exitCode = 1;
}
