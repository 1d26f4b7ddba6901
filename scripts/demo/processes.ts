// Processes and threads as the system shows them, to anybody: /proc on Linux, ps elsewhere. Nothing here asks Belay.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

/** A process or a thread at one moment. */
export interface Running {
  /** pid or, of a thread, tid. */
  id: number;
  parent: number;
  /** The command line; of a thread, its name (up to 15 characters). */
  name: string;
  startedAt: Date;
  /** Null where the system does not tell it. */
  cpuSeconds: number | null;
}

/** proc(5): times are in ticks of sysconf(_SC_CLK_TCK), which is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

const hasProc: boolean = existsSync("/proc/self/stat");

/** Every process that is not a zombie. `isPortable` takes the way of systems without /proc. */
export function processes(isPortable: boolean = !hasProc): Running[] {
  if (isPortable) return psProcesses();
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    const found = readStat(`/proc/${pid}/stat`);
    return found ? [{ ...found, name: commandLine(pid) || found.name }] : [];
  });
}

/** What a process started, and what that started in turn. */
export function descendantsOf(pid: number, all: readonly Running[] = processes()): Running[] {
  const children = all.filter(({ parent, id }) => parent === pid && id !== pid);
  return children.flatMap((child) => [child, ...descendantsOf(child.id, all)]);
}

/** The threads of a process, each by name; null on systems that do not show them. */
export function threadsOf(pid: number): Running[] | null {
  if (!hasProc) return null;
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((tid) => {
      const found = readStat(`/proc/${pid}/task/${tid}/stat`);
      return found ? [found] : [];
    });
  } catch {
    return []; // the process has ended
  }
}

/** How many threads a process has, on systems that show no more of them (macOS: `ps -M` prints a line for each). */
export function threadCount(pid: number): number {
  const lines = ps(["-M", "-p", String(pid)])
    .trimEnd()
    .split("\n");
  return Math.max(0, lines.length - 1);
}

/** The files below a folder that a process has open, each once. */
export function openFiles(pid: number, folder: string): string[] {
  const paths = hasProc ? procOpenFiles(pid) : lsofOpenFiles(pid);
  return [...new Set(paths.filter((path) => path.startsWith(`${folder}/`)))];
}

/** True if this very process or thread is there: an id alone may be another one's by now. */
export function isSame(one: Running, other: Running): boolean {
  // ps tells whole seconds, and both are computed anew from the time since the boot.
  return one.id === other.id && Math.abs(one.startedAt.getTime() - other.startedAt.getTime()) < 2_000;
}

/** A line of /proc; undefined if it has ended, or is a zombie: dead, and not asked for yet. */
function readStat(path: string): Running | undefined {
  let stat: string;
  try {
    stat = readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
  const end = stat.lastIndexOf(")");
  const [id = "", name = ""] = [stat.slice(0, stat.indexOf(" ")), stat.slice(stat.indexOf("(") + 1, end)];
  // Counted from the state, the third field of proc(5).
  const fields = stat.slice(end + 2).split(" ");
  if (fields[0] === "Z" || fields[0] === "X") return undefined;
  const ticks = (index: number): number => Number(fields[index]) / TICKS_PER_SECOND;
  return {
    id: Number(id),
    parent: Number(fields[1]),
    name,
    startedAt: new Date(bootTimeMs() + ticks(19) * 1_000),
    cpuSeconds: ticks(11) + ticks(12),
  };
}

function bootTimeMs(): number {
  return Date.now() - Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]) * 1_000;
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ").trim();
  } catch {
    return "";
  }
}

function psProcesses(): Running[] {
  const line = /^ *(\d+) +(\d+) +(\S+) +(\w+ +\w+ +\d+ +[\d:]+ +\d+) +(.*)$/;
  return ps(["-axo", "pid=,ppid=,stat=,lstart=,command="])
    .split("\n")
    .flatMap((text) => {
      const [, id, parent, state, started = "", name = ""] = line.exec(text) ?? [];
      if (id === undefined || state?.startsWith("Z")) return [];
      const startedAt = new Date(started);
      return [{ id: Number(id), parent: Number(parent), name, startedAt, cpuSeconds: null }];
    });
}

function ps(args: readonly string[]): string {
  try {
    return execFileSync("ps", args, {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "ignore"],
      maxBuffer: 16 * 1024 * 1024,
    });
  } catch {
    return "";
  }
}

function procOpenFiles(pid: number): string[] {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).flatMap((fd) => {
      try {
        return [readlinkSync(`${folder}/${fd}`)];
      } catch {
        return []; // closed meanwhile
      }
    });
  } catch {
    return [];
  }
}

function lsofOpenFiles(pid: number): string[] {
  try {
    const output = execFileSync("lsof", ["-p", String(pid), "-Fn"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return output.split("\n").flatMap((line) => (line.startsWith("n") ? [line.slice(1)] : []));
  } catch {
    return []; // no lsof, or no such process
  }
}
