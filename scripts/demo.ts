// `npm run demo`: a tour of about a minute. It starts one operation of each system, cancels it through its own client, and
// shows from outside that the work stopped; then a killed worker, a family, many at once, and the receipts of it all. Flags
// after `--`: npm run demo -- --clients
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const usage = `npm run demo [-- flags]
  --clients          first installs the systems' real clients, for the interop tests too (once; about 440 MB)
  --curl             takes curl even where a real client is installed
  --only <ids>       shows these stops: yandex, vault, dai, automl, default, worker, family, many, receipts; with commas
  --watch <time>     how long each system's operation is watched before its cancel (default 2500ms)`;

interface Flags {
  clients: boolean;
  curl: boolean;
  only: readonly string[];
  watchMs: number;
}

async function readFlags(): Promise<Flags | null> {
  const { parseDuration } = await import("../src/cli/duration.ts");
  const { values } = parseArgs({
    options: {
      clients: { type: "boolean", default: false },
      curl: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      watch: { type: "string", default: "2500ms" },
    },
  });
  if (values.help) return null;
  const watchMs = parseDuration(values.watch);
  if (watchMs === undefined) throw new TypeError(`--watch ${values.watch}: write a time such as 4s`);
  return {
    clients: values.clients,
    curl: values.curl,
    only: values.only.split(",").filter(Boolean),
    watchMs,
  };
}

/** Installs the packages of tests/interop; false if that failed, which has been told then. */
function installClients(): boolean {
  const args = [join(root, "scripts/setup.js"), "tests/interop"];
  return spawnSync(process.execPath, args, { stdio: "inherit" }).status === 0;
}

/** Runs it and answers the exit code. */
async function main(): Promise<number> {
  const flags = await readFlags();
  if (flags === null) {
    console.log(usage);
    return 0;
  }
  if (!existsSync(join(root, "dist/cli/main.js"))) {
    console.error("belay: it is not built; npm run demo builds it first (node scripts/setup.js)");
    return 1;
  }
  const { clients, curl: isCurlOnly, only, watchMs } = flags;
  if (clients && !installClients()) return 1;
  const [{ runTour }, { stopRequested }, { tolerateClosedPipes }] = await Promise.all([
    import("./demo/tour.ts"),
    import("../src/cli/stop-signals.ts"),
    import("../src/cli/output.ts"),
  ]);
  tolerateClosedPipes();
  const stop = new AbortController();
  let stopCode = 0;
  void stopRequested().then((signal) => {
    stopCode = signal === "SIGINT" ? 130 : 143;
    stop.abort(new Error("stopped"));
  });
  try {
    return (await runTour({ root, only, isCurlOnly, watchMs, signal: stop.signal })) ? 0 : 1;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    console.error("belay: the tour is stopped, and with it all that it started");
    return stopCode;
  }
}

enableCompileCache();
try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = error instanceof TypeError;
  console.error(`belay: ${error instanceof Error ? error.message : String(error)}`);
  if (isUsage) console.error(usage);
  process.exitCode = 1;
}
// A closed client library may still hold a timer.
process.exit();
