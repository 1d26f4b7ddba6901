// The renditions of a video: what ffmpeg is told to make of it, and what is written about them afterwards.
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

/** One version of the video. Rates in kbit/s. */
export interface Rendition {
  /** Its folder. */
  name: string;
  width: number;
  height: number;
  videoRate: number;
  audioRate: number;
}

/** What can be made, best first. */
export const renditions: readonly Rendition[] = [
  { name: "720p", width: 1280, height: 720, videoRate: 2_800, audioRate: 128 },
  { name: "480p", width: 854, height: 480, videoRate: 1_400, audioRate: 96 },
  { name: "360p", width: 640, height: 360, videoRate: 800, audioRate: 96 },
];

/** What was made of one rendition. */
export interface MadeRendition {
  name: string;
  /** Relative to the master playlist. */
  playlist: string;
  width: number;
  height: number;
  segments: number;
  seconds: number;
  bytes: number;
  /** Bits per second at its peak, and of all: RFC 8216, 4.3.4.2. */
  bandwidth: number;
  averageBandwidth: number;
}

const SEGMENT_SECONDS = 4;
const PLAYLIST = "index.m3u8";

/** H.264 Main at level 3.1, and AAC-LC: RFC 6381. The encoder is told the same below. */
const VIDEO_CODEC = "avc1.4d401f";
const AUDIO_CODEC = "mp4a.40.2";

/**
 * ffmpeg's options behind its input: the picture is decoded once, split, scaled into each size with bars where the shape
 * differs, and each is cut at the same instants, so that a player can change between them.
 */
export function hlsArgs(chosen: readonly Rendition[], folder: string): string[] {
  const split = `[0:v:0]split=${chosen.length}${chosen.map((_, index) => `[in${index}]`).join("")}`;
  const scales = chosen.map(({ width: w, height: h }, index) => {
    const fit = `scale=${w}:${h}:force_original_aspect_ratio=decrease`;
    return `[in${index}]${fit},pad=${w}:${h}:(ow-iw)/2:(oh-ih)/2,setsar=1,format=yuv420p[out${index}]`;
  });
  const outputs = chosen.flatMap((rendition, index) => [
    ...["-map", `[out${index}]`, "-map", "0:a:0?", "-sn", "-dn"],
    ...encoderArgs(rendition),
    ...[
      "-f",
      "hls",
      "-hls_time",
      String(SEGMENT_SECONDS),
      "-hls_list_size",
      "0",
      "-hls_playlist_type",
      "vod",
    ],
    ...["-hls_segment_filename", join(folder, rendition.name, "%05d.ts")],
    join(folder, rendition.name, PLAYLIST),
  ]);
  return ["-filter_complex", [split, ...scales].join(";"), ...outputs];
}

function encoderArgs({ videoRate, audioRate }: Rendition): string[] {
  const peak = Math.round(videoRate * 1.07);
  return [
    ...["-c:v", "libx264", "-preset", "veryfast", "-profile:v", "main", "-level", "3.1"],
    ...["-b:v", `${videoRate}k`, "-maxrate", `${peak}k`, "-bufsize", `${videoRate * 2}k`],
    // A key frame at every cut and none elsewhere: a segment must begin with one.
    ...["-force_key_frames", `expr:gte(t,n_forced*${SEGMENT_SECONDS})`, "-sc_threshold", "0"],
    ...["-c:a", "aac", "-b:a", `${audioRate}k`, "-ac", "2"],
  ];
}

/** Reads the playlist that ffmpeg wrote for a rendition, and the sizes of its segments. */
export async function readRendition(
  folder: string,
  { name, width, height }: Rendition,
): Promise<MadeRendition> {
  const playlist = await readFile(join(folder, name, PLAYLIST), "utf8");
  const segments = [...playlist.matchAll(/^#EXTINF:([\d.]+),.*\n(.+)$/gm)];
  if (segments.length === 0 || !playlist.includes("#EXT-X-ENDLIST")) {
    throw new Error(`the playlist of ${name} is not whole`);
  }
  const made = segments.map(async ([, duration = "", file = ""]): Promise<Segment> => {
    return { seconds: Number(duration), bytes: (await stat(join(folder, name, file))).size };
  });
  const all = await Promise.all(made);
  const seconds = all.reduce((sum, segment) => sum + segment.seconds, 0);
  const bytes = all.reduce((sum, segment) => sum + segment.bytes, 0);
  const averageBandwidth = Math.ceil((bytes * 8) / seconds);
  return {
    ...{ name, playlist: `${name}/${PLAYLIST}`, width, height },
    segments: segments.length,
    seconds: Math.round(seconds * 1_000) / 1_000,
    bytes,
    bandwidth: Math.max(averageBandwidth, peakBandwidth(all)),
    averageBandwidth,
  };
}

interface Segment {
  seconds: number;
  bytes: number;
}

/**
 * The largest rate of any segments in a row that last 0.5 to 1.5 times a whole one (RFC 8216, 4.1): a last segment of one
 * frame has a rate that says nothing.
 */
export function peakBandwidth(segments: readonly Segment[]): number {
  let peak = 0;
  for (const first of segments.keys()) {
    let [seconds, bytes] = [0, 0];
    for (const segment of segments.slice(first)) {
      seconds += segment.seconds;
      bytes += segment.bytes;
      if (seconds > SEGMENT_SECONDS * 1.5) break;
      if (seconds >= SEGMENT_SECONDS * 0.5) peak = Math.max(peak, Math.ceil((bytes * 8) / seconds));
    }
  }
  return peak;
}

/** The playlist of the playlists: RFC 8216, 4.3.4. */
export function masterPlaylist(made: readonly MadeRendition[], hasAudio: boolean): string {
  const codecs = hasAudio ? `${VIDEO_CODEC},${AUDIO_CODEC}` : VIDEO_CODEC;
  const entries = made.map(
    ({ bandwidth, averageBandwidth, width, height, playlist }) =>
      `#EXT-X-STREAM-INF:BANDWIDTH=${bandwidth},AVERAGE-BANDWIDTH=${averageBandwidth},` +
      `RESOLUTION=${width}x${height},CODECS="${codecs}"\n${playlist}\n`,
  );
  return `#EXTM3U\n#EXT-X-VERSION:3\n${entries.join("")}`;
}
