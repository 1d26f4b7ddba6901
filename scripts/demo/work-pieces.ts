// What is seen of an operation's work from outside: threads of Belay's process, processes below it, files that are open or
// half-made. Each piece can be looked for again after the cancel.
import { readdirSync } from "node:fs";
import { basename } from "node:path";
import {
  descendantsOf,
  isSame,
  openFiles,
  processes,
  type Running,
  threadCount,
  threadsOf,
} from "./processes.ts";

/** One thing that is there while the work goes on, and must not be there after it. */
export interface WorkPiece {
  /** While it is there: `thread 4711 "vault.count-art" of process 4700, since 05:55:20 UTC`. */
  text: string;
  /** What is told of it afterwards: `thread 4711`. */
  short: string;
  /** CPU time that it had used when it was seen; 0 where that is not known. */
  cpuSeconds: number;
  isThere(): boolean;
}

/** Looks for the pieces that are there now. */
export type Lookout = () => WorkPiece[];

/** The system keeps 15 characters of a thread's name. */
const THREAD_NAME_MAX = 15;

/** The name of a thread that was started without one: those that a handler starts below its own. */
const UNNAMED_THREAD = "WorkerThread";

const COMMAND_MAX = 72;

/** Threads of a process that were not there when this was called: those of the operation type, and what they started. */
export function threadLookout(pid: number, type: string): Lookout {
  const before = threadsOf(pid);
  if (before === null) return countLookout(pid);
  const names = [type.slice(0, THREAD_NAME_MAX), UNNAMED_THREAD];
  return () =>
    (threadsOf(pid) ?? [])
      .filter(({ name }) => names.includes(name))
      .filter((thread) => !before.some((known) => isSame(known, thread)))
      .map((thread) => ({
        text: `thread ${thread.id} "${thread.name}" of process ${pid}, since ${timeOf(thread)}`,
        short: `thread ${thread.id}`,
        cpuSeconds: thread.cpuSeconds ?? 0,
        isThere: () => (threadsOf(pid) ?? []).some((other) => isSame(other, thread)),
      }));
}

/** For systems that tell only how many threads a process has: one more is the work. */
function countLookout(pid: number): Lookout {
  const before = threadCount(pid);
  return () => {
    const count = threadCount(pid);
    if (count <= before) return [];
    const text = `process ${pid} has ${count} threads, ${before} before (this system does not tell them apart)`;
    return [
      { text, short: `a thread of process ${pid}`, cpuSeconds: 0, isThere: () => threadCount(pid) >= count },
    ];
  };
}

/** Processes below a process whose command line matches. */
export function processLookout(pid: number, command: RegExp): Lookout {
  return () =>
    descendantsOf(pid)
      .filter(({ name }) => command.test(name))
      .map((child) => ({
        text: `process ${child.id}, since ${timeOf(child)}: ${shortCommand(child.name)}`,
        short: `process ${child.id} (${basename(child.name.split(" ")[0] ?? "")})`,
        cpuSeconds: child.cpuSeconds ?? 0,
        isThere: () => processes().some((other) => isSame(other, child)),
      }));
}

/** Files of a folder that a process has open. */
export function openFileLookout(pid: number, folder: string): Lookout {
  return () =>
    openFiles(pid, folder).map((path) => ({
      text: `process ${pid} reads ${basename(path)}`,
      short: `the open file ${basename(path)}`,
      cpuSeconds: 0,
      isThere: () => openFiles(pid, folder).includes(path),
    }));
}

/** Files that are half-made: whatever is below a folder. */
export function halfMadeLookout(folder: string): Lookout {
  return () => {
    const count = filesBelow(folder);
    if (count === 0) return [];
    const text = `${count} half-made files in ${basename(folder)}/`;
    return [{ text, short: "the half-made files", cpuSeconds: 0, isThere: () => filesBelow(folder) > 0 }];
  };
}

/** All of them, once the first one sees something. */
export function lookouts(first: Lookout, ...others: Lookout[]): Lookout {
  return () => {
    const seen = first();
    return seen.length === 0 ? [] : [...seen, ...others.flatMap((look) => look())];
  };
}

function filesBelow(folder: string): number {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      .length;
  } catch {
    return 0; // there is no such folder (any more)
  }
}

function timeOf({ startedAt }: Running): string {
  return `${startedAt.toISOString().slice(11, 19)} UTC`;
}

/** The program's own name and as much of its arguments as a line takes. */
function shortCommand(command: string): string {
  const [program = "", ...args] = command.split(" ");
  const line = [program, ...args].map((word) => basename(word) || word).join(" ");
  return line.length <= COMMAND_MAX ? line : `${line.slice(0, COMMAND_MAX - 3)}...`;
}
