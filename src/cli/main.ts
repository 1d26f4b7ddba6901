// The `belay` command's entry: bin/belay.js imports it.
import { runCli } from "./program.ts";

await runCli(process.argv.slice(2));
