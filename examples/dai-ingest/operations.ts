// What this example offers; `belay serve --operations examples/dai-ingest/operations.ts` runs it. What a killed server
// left half-made is removed when this module is loaded, that is at each start.
import { fileURLToPath } from "node:url";
import {
  defineOperation,
  type FieldViolation,
  type JsonObject,
  type OperationDefinition,
} from "belayd/worker";
import { campaignOperation } from "./campaign.ts";
import { sweepPartialFolders } from "./partial-folders.ts";
import { renditions } from "./renditions.ts";
import { findSource } from "./source-video.ts";

/** Where videos are taken from, and where renditions go. */
export interface IngestFolders {
  media: string;
  output: string;
}

const command = fileURLToPath(new URL("./ingest.ts", import.meta.url));

/** DAI_MEDIA and DAI_OUTPUT, or `media` and `output` in this folder. */
const {
  DAI_MEDIA: media = fileURLToPath(new URL("./media", import.meta.url)),
  DAI_OUTPUT: output = fileURLToPath(new URL("./output", import.meta.url)),
} = process.env;

const SECONDS_MAX = 600;
const fields = ["source", "seconds", "renditions"];

/** A payload that cannot be taken; `code` is the google.rpc.Code that the operation fails with. */
class PayloadRefused extends Error {
  override name = "PayloadRefused";
  readonly code: 3 | 5;

  constructor(message: string, code: 3 | 5 = 3) {
    super(message);
    this.code = code;
  }
}

/**
 * The command for `{"source": "holiday.mp4", "renditions": ["720p", "360p"]}`. Without a source a test clip of
 * `seconds` (default 60, 1 - 600) is made; without renditions all are.
 */
export function ingestCommand(folders: IngestFolders, payload: JsonObject): [string, ...string[]] {
  checkNames(payload);
  const { media: from, output: to } = folders;
  const heights = heightsOf(payload).join();
  return [process.execPath, command, "--media", from, "--output", to, "--heights", heights].concat(
    sourceArgs(from, payload),
  ) as [string, ...string[]];
}

/** Everything that ingestCommand would refuse: the check before an operation starts. */
export function checkIngest({ media: from }: IngestFolders, payload: JsonObject): FieldViolation[] {
  const { source = null } = payload;
  const readings: readonly [string, () => unknown][] = [
    ["", () => checkNames(payload)],
    [source === null ? "seconds" : "source", () => sourceArgs(from, payload)],
    ["renditions", () => heightsOf(payload)],
  ];
  return readings.flatMap(([field, read]) => {
    try {
      read();
      return [];
    } catch (error) {
      if (!(error instanceof PayloadRefused)) throw error;
      return [{ field, description: error.message }];
    }
  });
}

function checkNames(payload: JsonObject): void {
  const unknown = Object.keys(payload).find((name) => !fields.includes(name));
  if (unknown === undefined) return;
  throw new PayloadRefused(
    `the payload has no field ${JSON.stringify(unknown)}; it has: ${fields.join(", ")}`,
  );
}

function sourceArgs(folder: string, { source = null, seconds = null }: JsonObject): string[] {
  if (source === null) {
    const length = seconds ?? 60;
    if (typeof length === "number" && Number.isInteger(length) && length >= 1 && length <= SECONDS_MAX) {
      return ["--seconds", String(length)];
    }
    throw new PayloadRefused(
      `seconds ${JSON.stringify(length)} is not a whole number from 1 to ${SECONDS_MAX}`,
    );
  }
  if (seconds !== null)
    throw new PayloadRefused("seconds is for the test clip only; a source has its own length");
  const file = typeof source === "string" ? findSource(folder, source) : null;
  if (file !== null) return ["--source", file];
  // The same words for what is outside and what is absent: the answer tells nothing about the rest of the disk.
  throw new PayloadRefused(`there is no video ${JSON.stringify(source)} in the media folder`, 5);
}

function heightsOf({ renditions: chosen = null }: JsonObject): number[] {
  if (chosen === null) return renditions.map(({ height }) => height);
  const names: readonly unknown[] = Array.isArray(chosen) ? chosen : [];
  const found = renditions.filter(({ name }) => names.includes(name));
  if (found.length > 0 && found.length === names.length) return found.map(({ height }) => height);
  const known = renditions.map(({ name }) => name).join(", ");
  throw new PayloadRefused(`renditions ${JSON.stringify(chosen)} is not a list of some of: ${known}`);
}

/** The operations over these folders. */
export function ingestOperations(folders: IngestFolders): readonly OperationDefinition[] {
  return [
    defineOperation({
      type: "dai.ingest",
      kind: "process",
      command: (payload) => ingestCommand(folders, payload),
      check: (payload) => checkIngest(folders, payload),
      // Its output is published by one rename at the end: running again is safe.
      maxAttempts: 3,
      // It kills ffmpeg at once and removes its files, which takes well under a second.
      graceMs: 5_000,
      // Publishing is one rename; removing what an earlier attempt had published may take a moment.
      criticalMs: 3_000,
      killMs: 2_000,
      // ffmpeg tells how far it is twice a second.
      stallTimeoutMs: 60_000,
    }),
    campaignOperation(folders.output, (video) => checkIngest(folders, video)),
  ];
}

export const operations: readonly OperationDefinition[] = ingestOperations({ media, output });

try {
  const swept = await sweepPartialFolders(output);
  if (swept.length > 0)
    console.error(`belay: dai.ingest: removed what killed runs left behind: ${swept.join(", ")}`);
} catch (error) {
  // The next run tries again; a folder that cannot be cleaned is no reason to serve nothing.
  console.error(`belay: dai.ingest: ${error instanceof Error ? error.message : String(error)}`);
}
