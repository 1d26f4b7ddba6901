// Makes sure that what the peers' suites take is installed, and says in which version.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { benchPostgres } from "./peer-run.ts";
import { redisVersion } from "./redis-server.ts";

const root = new URL("../../", import.meta.url);

/** Installs the two workspaces that are no part of `npm ci`: the peers, and the PostgreSQL of the tests. */
export function preparePeers(): void {
  for (const folder of ["bench/peers", "tests/postgres"]) {
    execFileSync(process.execPath, [fileURLToPath(new URL("scripts/setup.js", root)), folder], {
      stdio: "inherit",
      cwd: fileURLToPath(root),
    });
  }
}

/** Of everything that takes part. */
export async function findVersions(): Promise<Record<string, string>> {
  const postgres = await benchPostgres();
  const [row] = await postgres.query("SHOW server_version");
  const manifest = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8")) as {
    dependencies: Record<string, string>;
  };
  const redis = redisVersion();
  return {
    node: process.versions.node,
    postgres: String(row?.["server_version"]),
    ...(redis !== null && { redis }),
    ...manifest.dependencies,
  };
}
