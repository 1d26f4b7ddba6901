// What the operating system says, for tests that do not believe the server.
import { existsSync, readFileSync } from "node:fs";
import { type State, StateSchema } from "../../src/protocol/gen/belay/v1/operations_pb.ts";

/** True if a process runs; a zombie that nobody has reaped yet runs nothing. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const file = `/proc/${pid}/stat`;
  const stat = existsSync(file) ? readFileSync(file, "utf8") : "";
  return !/\) [ZX] /.test(stat);
}

/** True if a process is stopped, by SIGSTOP for instance. */
export function isStopped(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  return existsSync(file) && /\) T /.test(readFileSync(file, "utf8"));
}

/** The lines of a file; none if it is not there. */
export function readLines(file: string): string[] {
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
}

/** The name of a state; generated enums are plain objects without the way back. */
export function stateName(state: State): string {
  return StateSchema.value[state]?.name ?? String(state);
}
