// The CPU time of other processes, from /proc: which one keeps the cores busy.
import { readdirSync, readFileSync } from "node:fs";

/** Ticks a second of utime and stime: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS = 100;

interface ProcessTimes {
  parent: number;
  /** User and system time, of children that have ended, too; in milliseconds. */
  cpuMs: number;
}

/** Reads a line of /proc/[pid]/stat; the command's name may hold spaces and parentheses. */
export function parseStat(line: string): ProcessTimes {
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
  return { parent: Number(fields[1]), cpuMs: (ticks * 1000) / TICKS };
}

/** Of everything that runs on the machine, in milliseconds of one core. */
export function machineCpuMs(): number {
  return parseMachine(readFileSync("/proc/stat", "utf8"));
}

/** Reads the first line of /proc/stat: all but the fourth and fifth number, which are idle and waiting for a disk. */
export function parseMachine(text: string): number {
  const [user, nice, system, , , irq, softIrq, steal] = (text.split("\n")[0] ?? "")
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const ticks = [user, nice, system, irq, softIrq, steal].reduce<number>((sum, each) => sum + (each ?? 0), 0);
  return (ticks * 1000) / TICKS;
}

/** Of a process and all that descend from it, in milliseconds. */
export function treeCpuMs(root: number): number {
  const processes = new Map<number, ProcessTimes>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      processes.set(Number(name), parseStat(readFileSync(`/proc/${name}/stat`, "utf8")));
    } catch {
      // it has ended meanwhile; its parent has its time
    }
  }
  const isOfTree = (pid: number): boolean => {
    const parent = processes.get(pid)?.parent;
    return pid === root || (parent !== undefined && parent > 0 && isOfTree(parent));
  };
  return [...processes].reduce((sum, [pid, { cpuMs }]) => sum + (isOfTree(pid) ? cpuMs : 0), 0);
}

/** The CPU time of a process's threads by their names, in milliseconds; those of one name together. Empty without a scheduler that tells. */
export function threadCpuMs(pid: number): Map<string, number> {
  const threads = new Map<string, number>();
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    try {
      const folder = `/proc/${pid}/task/${id}`;
      const name = readFileSync(`${folder}/comm`, "utf8").trim();
      const [ns = "0"] = readFileSync(`${folder}/schedstat`, "utf8").split(" ");
      threads.set(name, (threads.get(name) ?? 0) + Number(ns) / 1e6);
    } catch {
      // it has ended meanwhile, or the kernel does not count
    }
  }
  return threads;
}
