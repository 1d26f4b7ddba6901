// Reads what the traced operations wrote (traced-operations.ts): what really happened, attempt by attempt.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";

/** One attempt's file. Times are milliseconds of the wall clock. */
export interface Trace {
  id: string;
  attempt: number;
  /** How often it began; more than once would be a lie of somebody's. */
  begins: number;
  kind: string;
  worker: string;
  beginMs: number;
  /** The worker's process, or the command's. */
  pid: number;
  /** A command's own processes. */
  pids: number[];
  beats: number;
  /** When each was; a command does not say. */
  beatMs: number[];
  end: "done" | "stopped" | "failed" | null;
  /** When it last wrote anything. */
  lastMs: number;
}

/** All attempts that left a trace. */
export function readTraces(folder: string): Trace[] {
  if (!existsSync(folder)) return [];
  const traces = readdirSync(folder).map((file) => readTrace(join(folder, file)));
  // A worker that is killed between making the file and its first line leaves an empty one: nothing was begun.
  return traces.filter(({ begins, pids }) => begins > 0 || pids.length > 0);
}

/** The attempts of one operation, in their order. */
export function tracesOf(traces: readonly Trace[], name: string): Trace[] {
  const id = basename(name);
  return traces.filter((trace) => trace.id === id).sort((a, b) => a.attempt - b.attempt);
}

function readTrace(file: string): Trace {
  const [id = "", attempt = ""] = basename(file).split(".");
  const trace: Trace = {
    ...{
      id,
      attempt: Number(attempt),
      begins: 0,
      kind: "",
      worker: "",
      beginMs: 0,
      pid: 0,
      pids: [],
      beats: 0,
      beatMs: [],
    },
    ...{ end: null, lastMs: statSync(file).mtimeMs },
  };
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const [what, ...words] = line.split(" ");
    if (what === "beat") {
      trace.beats++;
      if (words[0]) trace.beatMs.push(Number(words[0]));
    } else if (what === "child") trace.pids.push(Number(words[0]));
    else if (what === "end") trace.end = words[0] as Trace["end"];
    else if (what === "begin") {
      trace.begins++;
      const [kind = "", worker = "", pid, ms] = words;
      Object.assign(trace, { kind, worker, pid: Number(pid), beginMs: Number(ms) });
      if (kind === "command") trace.pids.push(Number(pid));
    }
  }
  return trace;
}
