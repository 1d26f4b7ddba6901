// Writes docs/reference/conformance.md: runs the suite of requirements once, and lets it write what the run came to. Ends with
// the suite's own exit code; rows that fail are on the page.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const env: NodeJS.ProcessEnv = { ...process.env, BELAY_CONFORMANCE_PAGE: "write" };
// The page tells of the server of this tree, never of another one.
delete env["BELAY_CONFORMANCE_URL"];

const suite = "tests/conformance/requirements/requirements.test.ts";
const { status } = spawnSync(process.execPath, ["--test-reporter=dot", suite], {
  cwd: root,
  env,
  stdio: "inherit",
});
process.exitCode = status ?? 1;
