// The processes of this machine: who is whose child, in which group, since when, with which marker. From /proc on
// Linux, from ps elsewhere. Read synchronously: an answer that is half old and half new would be worth nothing.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** One process as it was seen. */
export interface ProcessEntry {
  pid: number;
  ppid: number;
  pgid: number;
  /** False for a zombie: it runs nothing any more, it only waits for its parent to read its exit code. */
  isAlive: boolean;
  /** When it started, as text to compare: clock ticks since boot on Linux. With the pid it names a process for good. */
  startTime: string;
}

/** The variable that marks every process of an attempt, and what descends from it. */
export const MARKER_VARIABLE = "BELAY_ATTEMPT";

const isLinux = process.platform === "linux";

/** All processes. */
export function readProcessTable(): ProcessEntry[] {
  return isLinux ? readProc() : readPs([]);
}

/** One process, or undefined if there is none. */
export function readProcess(pid: number): ProcessEntry | undefined {
  return isLinux ? readStat(String(pid)) : readPs(["-p", String(pid)])[0];
}

/** Those of `entries` that carry the marker in their environment and started no earlier than `startTime` (null: any). */
export function markedProcesses(
  entries: readonly ProcessEntry[],
  marker: string,
  startTime: string | null,
): ProcessEntry[] {
  if (!isLinux) return markedByPs(entries, marker);
  const assignment = Buffer.from(`${MARKER_VARIABLE}=${marker}\0`);
  // Only younger processes are looked into: their environment costs as much to read as all the rest of an entry.
  const since = startTime === null ? 0 : Number(startTime);
  return entries.filter(
    (entry) => Number(entry.startTime) >= since && environmentOf(entry).includes(assignment),
  );
}

function readProc(): ProcessEntry[] {
  const entries: ProcessEntry[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const entry = readStat(name);
    if (entry) entries.push(entry);
  }
  return entries;
}

/**
 * proc_pid_stat(5): pid (comm) state ppid pgrp ...; comm may hold spaces and brackets, so the fields are counted from
 * the last bracket: state is 0, ppid 1, pgrp 2, num_threads 17, starttime 19.
 */
function readStat(pid: string): ProcessEntry | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined; // it ended while we looked
  }
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state = "X", ppid, pgid] = fields;
  // A main thread that has exited while others run shows as a zombie with more than one thread.
  const isZombie = state === "X" || (state === "Z" && Number(fields[17]) <= 1);
  return {
    pid: Number(pid),
    ppid: Number(ppid),
    pgid: Number(pgid),
    isAlive: !isZombie,
    startTime: fields[19] ?? "",
  };
}

/** As it was when an entry was first asked for it: one look serves all who share the table. */
const environments = new WeakMap<ProcessEntry, Buffer>();

function environmentOf(entry: ProcessEntry): Buffer {
  const known = environments.get(entry);
  if (known) return known;
  const environment = readEnvironment(entry.pid);
  environments.set(entry, environment);
  return environment;
}

function readEnvironment(pid: number): Buffer {
  try {
    return readFileSync(`/proc/${pid}/environ`);
  } catch {
    return Buffer.alloc(0); // ended, or another user's
  }
}

/** The table as ps prints it: POSIX options, and `lstart`, which macOS and procps have. */
export function readPs(selection: readonly string[]): ProcessEntry[] {
  const which = selection.length > 0 ? selection : ["-ax"];
  const entries: ProcessEntry[] = [];
  for (const line of runPs([...which, "-o", "pid=,ppid=,pgid=,stat=,lstart="])) {
    const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(.+?)\s*$/.exec(line);
    if (!match) continue;
    const [, pid, ppid, pgid, stat = "", startTime = ""] = match;
    entries.push({
      pid: Number(pid),
      ppid: Number(ppid),
      pgid: Number(pgid),
      isAlive: !/^[ZX]/.test(stat),
      startTime,
    });
  }
  return entries;
}

function markedByPs(entries: readonly ProcessEntry[], marker: string): ProcessEntry[] {
  const marked = new Set<number>();
  for (const line of runPs(["-axEww", "-o", "pid=,command="])) {
    if (line.includes(`${MARKER_VARIABLE}=${marker}`)) marked.add(Number.parseInt(line, 10));
  }
  return entries.filter((entry) => marked.has(entry.pid));
}

function runPs(options: readonly string[]): string[] {
  const { PATH } = process.env;
  try {
    return execFileSync("ps", options, { encoding: "utf8", env: { PATH, LC_ALL: "C" } }).split("\n");
  } catch {
    return []; // `ps -p` of no process exits with 1
  }
}
