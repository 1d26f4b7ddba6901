// The folders that runs write into before their output is whole. A name tells who writes there, so that what a killed run
// left behind can be told from the work of a living one. Two machines must not share an output folder.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** In the output folder, so that a rename within one file system publishes what is whole. */
const PARTIAL = ".partial";

/** `<operation>.<pid>.<start time>`: a pid alone may be another process's by now. */
const folderName = /\.(\d+)\.([\w-]+)$/;

/** Makes the calling process's folder for an operation's output. */
export async function createPartialFolder(output: string, operation: string): Promise<string> {
  const since = startTimeOf(process.pid) ?? "unknown";
  const folder = join(output, PARTIAL, `${operation}.${process.pid}.${since}`);
  await mkdir(folder, { recursive: true });
  return folder;
}

/** Removes a folder and all in it; a file that ffmpeg makes meanwhile is no failure. */
export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

/** Removes the folders whose process is gone: SIGKILL lets none clean up. Answers their names. */
export async function sweepPartialFolders(output: string): Promise<string[]> {
  const names = await readdir(join(output, PARTIAL)).catch(() => []);
  const left = names.filter((name) => {
    const owner = folderName.exec(name);
    return owner !== null && startTimeOf(Number(owner[1])) !== owner[2];
  });
  await Promise.all(left.map((name) => removeFolder(join(output, PARTIAL, name))));
  return left;
}

/** When a process started, in a form that only its own start has; null if there is no such process, or it is dead. */
function startTimeOf(pid: number): string | null {
  if (process.platform !== "linux") {
    const { stdout } = spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], {
      encoding: "utf8",
      env: { PATH: process.env["PATH"], LC_ALL: "C" },
    });
    return stdout?.trim().replaceAll(/\W+/g, "-") || null;
  }
  try {
    // proc(5): the state is the first field behind the name in brackets, the start time in clock ticks the 20th.
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
