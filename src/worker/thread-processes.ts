// The processes that a thread's handler has spawned. They do not end with the thread, so an aborted attempt is not over
// before they are: the thread's environment carries a mark, which they inherit. A handler that gives them another
// environment hides them; work that runs programs is better declared as a command (process-runner.ts).
import { delay } from "../base/timers.ts";
import {
  MARKER_VARIABLE,
  markedProcesses,
  readProcess,
  readProcessTable,
} from "./supervisor/process-table.ts";

const LOOK_EVERY_MS = 20;

/** The environment of a thread: this process's own, and the mark. */
export function markedEnvironment(marker: string): NodeJS.ProcessEnv {
  return { ...process.env, [MARKER_VARIABLE]: marker };
}

/** Kills what carries the mark. Resolves when nothing of it is left, which may be never. */
export async function endMarkedProcesses(marker: string): Promise<void> {
  // Nothing that is older than this process can have been spawned by it.
  const since = readProcess(process.pid)?.startTime ?? null;
  for (;;) {
    const left = markedProcesses(readProcessTable(), marker, since).filter(
      ({ pid, isAlive }) => isAlive && pid !== process.pid,
    );
    if (left.length === 0) return;
    for (const { pid } of left) kill(pid);
    await delay(LOOK_EVERY_MS);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself, or is another user's: the next look tells.
  }
}
