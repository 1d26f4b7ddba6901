// The command of dai.ingest: cuts a video into HLS renditions with ffmpeg. By hand, with its notes on the terminal:
//   node ingest.ts --media media --output output --seconds 20 3>&1
// The output appears whole, by one rename, or not at all: whatever stops a run, its files are removed, by the run itself
// or, after SIGKILL, by the next one and at the next start of the server (partial-folders.ts).
import { writeSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { setPriority } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { findFfmpeg, missing } from "./ffmpeg.ts";
import { probeMedia, runFfmpeg } from "./ffmpeg-run.ts";
import { createPartialFolder, removeFolder, sweepPartialFolders } from "./partial-folders.ts";
import { hlsArgs, type MadeRendition, masterPlaylist, readRendition, renditions } from "./renditions.ts";
import { ensureTestClip, inputArgs } from "./source-video.ts";

const NOTES = 3;
/** 128 + SIGTERM, as a shell has it. */
const STOPPED = 143;
/** The server beside it goes on answering. */
const NICENESS = 10;

interface Order {
  media: string;
  output: string;
  /** The operation's id: the folder of its output. */
  id: string;
  /** A file, or the length of the test clip. */
  source: string | number;
  heights: readonly number[];
}

interface Response {
  /** Relative to the output folder. */
  master: string;
  seconds: number;
  bytes: number;
  renditions: MadeRendition[];
}

/** Aborts when this run must end: it cleans up then, and exits. */
const stop = new AbortController();

/** Tells the worker. If nobody listens any more, its supervisor is gone: then nobody waits for this run either. */
function note(fields: object): void {
  try {
    writeSync(NOTES, `${JSON.stringify(fields)}\n`);
  } catch (error) {
    stop.abort(new Error("nobody reads descriptor 3", { cause: error }));
  }
}

function noteProgress(done: number, seconds: number): void {
  const percent = Math.min(100, (100 * done) / seconds);
  const message = `${done.toFixed(1)} of ${seconds.toFixed(1)} s`;
  note({ percent, message, checkpoint: { phase: "encoding", seconds: done, ofSeconds: seconds } });
}

function readOrder(): Order {
  const { values } = parseArgs({
    options: {
      media: { type: "string", default: "media" },
      output: { type: "string", default: "output" },
      source: { type: "string" },
      seconds: { type: "string", default: "60" },
      heights: { type: "string", default: renditions.map(({ height }) => height).join() },
    },
  });
  const { BELAY_OPERATION: operation = "by-hand" } = process.env;
  return {
    media: resolve(values.media),
    output: resolve(values.output),
    id: operation.slice(operation.lastIndexOf("/") + 1),
    source: values.source ?? Number(values.seconds),
    heights: values.heights.split(",").map(Number),
  };
}

async function makeRenditions(order: Order, folder: string, signal: AbortSignal): Promise<Response> {
  const program = findFfmpeg();
  if (program === null) throw new Error(missing() ?? "ffmpeg is gone");
  let { source } = order;
  if (typeof source === "number") {
    note({ percent: 0, message: "making the test clip", checkpoint: { phase: "test clip" } });
    const clip = { media: order.media, folder, seconds: source };
    source = await ensureTestClip(program, clip, { signal });
  }
  const input = inputArgs(source);
  const { seconds, hasVideo, hasAudio } = await probeMedia(program, input, signal);
  if (!hasVideo) throw new Error("the source has no picture");
  const chosen = renditions.filter(({ height }) => order.heights.includes(height));
  const whole = join(folder, "whole");
  for (const { name } of chosen) await mkdir(join(whole, name), { recursive: true });
  noteProgress(0, seconds);
  await runFfmpeg(program, [...input, ...hlsArgs(chosen, whole)], {
    signal,
    progress: (done) => noteProgress(done, seconds),
  });
  const made = await Promise.all(chosen.map((rendition) => readRendition(whole, rendition)));
  await writeFile(join(whole, "master.m3u8"), masterPlaylist(made, hasAudio));
  const bytes = made.reduce((sum, rendition) => sum + rendition.bytes, 0);
  return { master: `${order.id}/master.m3u8`, seconds, bytes, renditions: made };
}

async function ingest(order: Order, signal: AbortSignal): Promise<Response> {
  await sweepPartialFolders(order.output);
  const partial = await createPartialFolder(order.output, order.id);
  const published = join(order.output, order.id);
  try {
    const response = await makeRenditions(order, partial, signal);
    // From here to the exit a cancel waits: the output is published, and the operation has succeeded.
    note({ critical: "publishing the renditions" });
    // An earlier attempt may have got this far and been lost before it could say so.
    await rm(published, { recursive: true, force: true });
    signal.throwIfAborted();
    await rename(join(partial, "whole"), published);
    await removeFolder(partial);
    // A SIGTERM that crossed the note, or came when the section had its time: the operation is CANCELLED, and nothing of
    // it may stay.
    signal.throwIfAborted();
    return response;
  } catch (error) {
    await removeFolder(partial);
    if (signal.aborted) await removeFolder(published);
    throw error;
  }
}

process.on("SIGTERM", () => stop.abort(new Error("stopped by SIGTERM")));
process.on("SIGINT", () => stop.abort(new Error("stopped by SIGINT")));
setPriority(NICENESS);
try {
  const response = await ingest(readOrder(), stop.signal);
  note({ percent: 100, message: `${response.renditions.length} renditions` });
  console.log(JSON.stringify(response));
} catch (error) {
  console.error(`ingest: ${error instanceof Error ? error.message : String(error)}`);
  if (stop.signal.aborted) note({ checkpoint: { phase: "stopped", partialFiles: "removed" } });
  process.exitCode = stop.signal.aborted ? STOPPED : 1;
}
