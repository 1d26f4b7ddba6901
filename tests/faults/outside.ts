// What the operating system says, for tests that do not believe the server.
import { existsSync, readFileSync } from "node:fs";
import { type State, StateSchema } from "../../src/protocol/gen/belay/v1/operations_pb.ts";

/** What the kernel says of a process; null if it is gone, which may be at any moment, or if nothing is said of processes here. */
function statOf(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return null;
  }
}

/** True if a process runs; a zombie that nobody has reaped yet runs nothing. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = statOf(pid);
  return stat === null ? !existsSync("/proc/self") : !/\) [ZX] /.test(stat);
}

/** True if a process is stopped, by SIGSTOP for instance. */
export function isStopped(pid: number): boolean {
  return /\) T /.test(statOf(pid) ?? "");
}

/** The lines of a file; none if it is not there. */
export function readLines(file: string): string[] {
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
}

/** The name of a state; generated enums are plain objects without the way back. */
export function stateName(state: State): string {
  return StateSchema.value[state]?.name ?? String(state);
}
