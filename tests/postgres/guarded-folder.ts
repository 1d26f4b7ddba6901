// The folder that all PostgreSQL servers of this process keep their data in, and its guard: a shell that waits for the end of
// this process, however it comes, ends what still runs in the folder, and removes it.
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * `cat` ends with the pipe, which no other process holds. A server is told by its postmaster.pid, and by its command line: a
 * stale file must kill no stranger. A stopped server gets SIGCONT first, or it would never hear the rest.
 */
const guard = `
  trap "" INT TERM HUP
  cat >/dev/null
  postmasters() {
    for file in "$1"/*/postmaster.pid "$1"/*/*/postmaster.pid; do
      [ -f "$file" ] || continue
      read -r pid <"$file" || continue
      tr "\\0" " " <"/proc/$pid/cmdline" 2>/dev/null | grep -q -F "$1" && echo "$pid"
    done
  }
  tell() { for pid in $(postmasters "$1"); do kill "-$2" "$pid" 2>/dev/null; done; }
  tell "$1" CONT
  tell "$1" QUIT
  tries=0
  while [ -n "$(postmasters "$1")" ] && [ "$tries" -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
  tell "$1" KILL
  # What a killed server had started may still write its last file.
  rm -rf "$1" || { sleep 1; rm -rf "$1"; }
`;

let folder: string | undefined;

/** The folder of this process, made and guarded when first asked for. Other users may pass through it. */
export function guardedFolder(): string {
  if (folder !== undefined) return folder;
  folder = mkdtempSync(join(tmpdir(), "belay-postgres-"));
  chmodSync(folder, 0o755);
  // A group of its own: it outlives what kills this process's group.
  const child = spawn("sh", ["-c", guard, "sh", folder], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.unref();
  const { stdin } = child;
  stdin.on("error", () => {}); // the guard was killed; the data stays behind, which hurts no test
  if ("unref" in stdin && typeof stdin.unref === "function") stdin.unref();
  return folder;
}
