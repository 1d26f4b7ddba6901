// Where the video comes from: a file of the media folder, or a test clip that is made there on first use. What a caller
// sends selects a file and is never part of a command.
import { existsSync, realpathSync, statSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { extname, join, resolve, sep } from "node:path";
import { type FfmpegOptions, runFfmpeg } from "./ffmpeg-run.ts";

/**
 * The demuxer is told, not guessed: a file that is a playlist in disguise would make ffmpeg read whatever it names.
 * The formats here refer to no other file (mov does only with -enable_drefs).
 */
const demuxers: Readonly<Record<string, string>> = {
  ".mp4": "mov",
  ".m4v": "mov",
  ".mov": "mov",
  ".mkv": "matroska",
  ".webm": "matroska",
  ".ts": "mpegts",
};

/** A longer clip repeats: copying is faster than drawing. */
const LOOP_SECONDS_MAX = 10;

/** The path of a file in the media folder; null if there is none of that name, or it lies elsewhere. */
export function findSource(media: string, name: string): string | null {
  try {
    const top = realpathSync(media);
    const found = realpathSync(resolve(top, name));
    return found.startsWith(top + sep) && extname(found) in demuxers && statSync(found).isFile()
      ? found
      : null;
  } catch {
    return null;
  }
}

/** ffmpeg's options for an input file. */
export function inputArgs(file: string): string[] {
  return ["-protocol_whitelist", "file", "-f", demuxers[extname(file)] ?? "mov", "-i", `file:${file}`];
}

/**
 * The path of a test clip of so many seconds, with a picture that moves and a tone. `folder` takes the unfinished files;
 * two runs that make it at the same time write the same.
 */
export async function ensureTestClip(
  program: string,
  { media, folder, seconds }: { media: string; folder: string; seconds: number },
  options: FfmpegOptions,
): Promise<string> {
  const clip = join(media, `test-clip-${seconds}s.mp4`);
  if (existsSync(clip)) return clip;
  const [loop, unfinished] = [join(folder, "loop.mp4"), join(folder, "test-clip.mp4")];
  const loopSeconds = Math.min(seconds, LOOP_SECONDS_MAX);
  const picture = ["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25"];
  const tone = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"];
  const codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"];
  await runFfmpeg(program, [...picture, ...tone, "-t", String(loopSeconds), ...codecs, loop], options);
  const repeats = ["-stream_loop", String(Math.ceil(seconds / loopSeconds) - 1)];
  const copy = ["-i", `file:${loop}`, "-t", String(seconds), "-c", "copy", unfinished];
  await runFfmpeg(program, [...repeats, ...copy], { signal: options.signal });
  await mkdir(media, { recursive: true });
  await rename(unfinished, clip);
  return clip;
}
