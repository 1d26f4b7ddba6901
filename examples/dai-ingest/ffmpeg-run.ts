// Runs ffmpeg once: as a child in the caller's own process group, so that what ends the group ends it too. Tells how far
// it is, and ends it by SIGKILL when the signal aborts.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Enough of what it printed to say why it failed. */
const STDERR_MAX = 16_384;

/** What is known of a video before it is cut. */
export interface MediaFacts {
  seconds: number;
  hasVideo: boolean;
  hasAudio: boolean;
}

export interface FfmpegOptions {
  signal: AbortSignal;
  /** Called about twice a second with the seconds of video that are done. */
  progress?: (seconds: number) => void;
}

/** Runs it to its end. Rejects with the signal's reason once it has exited, or with the last line that it printed. */
export async function runFfmpeg(
  program: string,
  args: readonly string[],
  { signal, progress }: FfmpegOptions,
): Promise<void> {
  const { code, stderr } = await run(program, ["-loglevel", "error", "-progress", "pipe:1", ...args], {
    signal,
    line: (text) => {
      // The one field that every version writes in the same unit: out_time_ms holds microseconds.
      const time = /^out_time=(\d+):(\d+):(\d+(?:\.\d+)?)/.exec(text);
      if (time) progress?.(secondsOf(time));
    },
  });
  if (code !== 0) throw new Error(`ffmpeg exited with code ${code}: ${lastLine(stderr)}`);
}

/**
 * Reads what ffmpeg says of an input; `args` are the options in front of it and its path. There is no ffprobe beside
 * every ffmpeg. Rejects if it cannot be read at all.
 */
export async function probeMedia(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<MediaFacts> {
  // Without an output it describes the input, and ends with code 1.
  const { stderr } = await run(program, args, { signal, line: () => {} });
  const duration = /^ *Duration: (\d+):(\d+):(\d+\.\d+)/m.exec(stderr);
  if (!duration) throw new Error(`its length is not known: ${lastLine(stderr)}`);
  return {
    seconds: secondsOf(duration),
    hasVideo: /^ *Stream #0:.* Video: /m.test(stderr),
    hasAudio: /^ *Stream #0:.* Audio: /m.test(stderr),
  };
}

interface Ended {
  code: number | null;
  stderr: string;
}

async function run(
  program: string,
  args: readonly string[],
  { signal, line }: { signal: AbortSignal; line: (text: string) => void },
): Promise<Ended> {
  signal.throwIfAborted();
  // ffmpeg also gets the group's SIGTERM, but writes out what it holds first: measured 0.2 s here, and 21 s with a slower
  // encoder. Nothing of that is kept, so nothing waits for it.
  const child = spawn(program, ["-nostdin", "-hide_banner", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    signal,
    killSignal: "SIGKILL",
  });
  let failure: unknown = null;
  child.on("error", (error) => {
    failure ??= error; // the abort is told here too, before the exit
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-STDERR_MAX);
  });
  createInterface({ input: child.stdout }).on("line", line);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  signal.throwIfAborted();
  if (failure) throw failure;
  return { code, stderr };
}

function secondsOf([, hours, minutes, seconds]: RegExpExecArray): number {
  return Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds);
}

function lastLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.findLast((line) => line !== "") ?? "it said nothing";
}
