// Where the time of a CPU profile went, by function and by file. Time in native code and in the garbage collector is its own
// row; idle time is left out of the shares.

interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
  children?: number[];
}

export interface CpuProfile {
  nodes: ProfileNode[];
  samples: number[];
  timeDeltas: number[];
}

/** One function's or one file's share of the time that was not idle. */
export interface ProfileRow {
  name: string;
  share: number;
}

export interface ProfileSummary {
  busyMs: number;
  idleMs: number;
  functions: readonly ProfileRow[];
  /** Self time by file; a package's files together. */
  files: readonly ProfileRow[];
}

/** `src/engine/decide.ts`, `pg`, `node:net`. */
function placeOf(url: string): string {
  const inPackage = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url);
  if (inPackage?.[1]) return inPackage[1];
  return /\/((?:src|bench|dist)\/.*)$/.exec(url)?.[1] ?? (url === "" ? "(native)" : url);
}

function shares(times: ReadonlyMap<string, number>, total: number): ProfileRow[] {
  return [...times]
    .map(([name, time]) => ({ name, share: time / total }))
    .toSorted((a, b) => b.share - a.share);
}

export function summarise(profile: CpuProfile): ProfileSummary {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const functions = new Map<string, number>();
  const files = new Map<string, number>();
  let idleUs = 0;
  let busyUs = 0;
  for (const [index, id] of profile.samples.entries()) {
    const us = profile.timeDeltas[index] ?? 0;
    const frame = nodes.get(id)?.callFrame;
    if (!frame || frame.functionName === "(idle)") {
      idleUs += us;
      continue;
    }
    busyUs += us;
    const place = placeOf(frame.url);
    const line = frame.url === "" ? "" : `:${frame.lineNumber + 1}`;
    const name = `${frame.functionName || "(anonymous)"} ${place}${line}`;
    functions.set(name, (functions.get(name) ?? 0) + us);
    const file = frame.functionName.startsWith("(") ? frame.functionName : place;
    files.set(file, (files.get(file) ?? 0) + us);
  }
  return {
    busyMs: busyUs / 1000,
    idleMs: idleUs / 1000,
    functions: shares(functions, busyUs),
    files: shares(files, busyUs),
  };
}

/** Prints the largest shares, of files and of functions. */
export function showProfile(profile: CpuProfile, rows: number): void {
  const { busyMs, idleMs, functions, files } = summarise(profile);
  const percent = (share: number): string => `${(share * 100).toFixed(1).padStart(5)} %`;
  console.log(`busy ${Math.round(busyMs)} ms, idle ${Math.round(idleMs)} ms`);
  for (const { name, share } of files.slice(0, rows)) console.log(`  ${percent(share)}  ${name}`);
  console.log();
  for (const { name, share } of functions.slice(0, rows)) console.log(`  ${percent(share)}  ${name}`);
}
