// A fresh data folder in a tenth of a second: initdb's result is kept in the clone's cache, and copied.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PostgresBinaries } from "./postgres-binaries.ts";

const cache = fileURLToPath(new URL("../../.cache/postgres", import.meta.url));

/** No password: these servers listen on loopback only. Sorted by bytes, as Debian's own would not be. */
const initdbOptions = [
  ...["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"],
  ...["--no-sync", "--no-instructions"],
];

function own(folder: string, { owner }: PostgresBinaries): void {
  if (owner.uid !== undefined) execFileSync("chown", ["-R", `${owner.uid}:${owner.gid}`, folder]);
}

function initialise(binaries: PostgresBinaries, home: string): string {
  const folder = mkdtempSync(join(home, "initdb-"));
  own(folder, binaries);
  const data = join(folder, "data");
  execFileSync(join(binaries.folder, "initdb"), [...initdbOptions, "-D", data], {
    ...binaries.owner,
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
    env: { PATH: process.env["PATH"], TZ: "UTC" },
  });
  return data;
}

/** Makes `data` a new data folder that the binaries' owner owns. `home` is a folder for what is in between. */
export function makeCluster(data: string, binaries: PostgresBinaries, home: string): void {
  const template = join(cache, `${binaries.version}-1`);
  if (!existsSync(template)) {
    const made = initialise(binaries, home);
    mkdirSync(cache, { recursive: true });
    const fresh = mkdtempSync(join(cache, "new-"));
    cpSync(made, fresh, { recursive: true });
    rmSync(dirname(made), { recursive: true });
    try {
      renameSync(fresh, template);
    } catch {
      rmSync(fresh, { recursive: true }); // another process was faster
    }
  }
  cpSync(template, data, { recursive: true, mode: 0 });
  execFileSync("chmod", ["-R", "u=rwX,go=", data]);
  own(data, binaries);
}
