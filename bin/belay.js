#!/usr/bin/env node
// The `belay` command. Plain JavaScript that old Nodes parse, so that they get one clear line instead of a syntax error.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const major = Number(process.versions.node.split(".")[0]);

if (major < 24) {
  console.error(
    `belay needs Node.js 24 or later; this is ${process.versions.node}. In a clone, run it as: npm start, or npx belay`,
  );
  process.exit(1);
}

const { enableCompileCache } = await import("node:module");
enableCompileCache();
const main = join(root, "dist/cli/main.js");
if (!existsSync(main)) {
  console.error("belay is not built yet: run npm start, npm test or npm run setup once");
  process.exit(1);
}
await import(pathToFileURL(main).href);
