// The id of this boot: after a reboot no process of an earlier boot is left, whatever pids its records name.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** The machine's boot id; the same for all processes until the next boot. "" where no commands are run (Windows). */
export function readBootId(): string {
  if (process.platform === "linux") return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  if (process.platform !== "darwin") return "";
  return execFileSync("sysctl", ["-n", "kern.bootsessionuuid"], { encoding: "utf8" }).trim();
}
