// A full disk and a read-only one, as real file systems: mounted in a mount namespace of their own, gone with it.
// Needs root, unshare and mount; where one is missing the test fails.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("./full-disk-program.ts", import.meta.url));
const storeModule = new URL("../../src/stores/sqlite/sqlite-store.ts", import.meta.url).href;

/** Runs a shell script where `$1` is an empty folder that nothing outside sees; answers its standard output. */
function runInOwnMounts(script: string, ...args: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "belay-disk-"));
  try {
    const result = spawnSync("unshare", ["-m", "sh", "-ec", script, "sh", folder, ...args], {
      encoding: "utf8",
    });
    assert.equal(result.error, undefined, "unshare runs");
    assert.equal(result.status, 0, result.stdout + result.stderr);
    return result.stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a full disk: read-only, deletes and retention work on, and writes again once there is room", (context) => {
  const script = `mount -t tmpfs -o size=36m tmpfs "$1"
    dd if=/dev/zero of="$1/ballast" bs=1M count=12 status=none
    exec "$2" "$3" "$1/data" "$1/ballast"`;
  const output = runInOwnMounts(script, process.execPath, program);
  context.diagnostic(output.trim());
  assert.match(output, /whole\n$/);
});

test("a data folder on a read-only file system is refused in one line", () => {
  const open = `
    import { SqliteStore, StoreOpenError } from ${JSON.stringify(storeModule)};
    try {
      await (await SqliteStore.open(process.argv[1])).close();
      console.log("opened");
    } catch (error) {
      console.log(error instanceof StoreOpenError, error.message);
    }`;
  const script = `mount -t tmpfs tmpfs "$1"
    "$2" --input-type=module -e "$3" "$1/data"
    mount -o remount,ro "$1"
    "$2" --input-type=module -e "$3" "$1/data"`;
  const lines = runInOwnMounts(script, process.execPath, open).trim().split("\n");
  assert.equal(lines[0], "opened");
  assert.match(lines[1] ?? "", /^true data folder \S+ is on a read-only file system$/);
  assert.equal(lines.length, 2);
});
