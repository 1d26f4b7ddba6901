// dai.campaign: the videos of a campaign, each cut by a child of its own, and one list of what came out. Whoever cancels it
// stops all of its ffmpegs, wherever they run: the children go with their parent.
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  defineOperation,
  type FieldViolation,
  type JsonObject,
  type OperationContext,
  type OperationDefinition,
} from "belayd/worker";
import { createPartialFolder, removeFolder } from "./partial-folders.ts";

const VIDEOS_MAX = 20;

/** What is wrong with the payload of one video: that of a dai.ingest. */
export type CheckVideo = (video: JsonObject) => FieldViolation[];

/** google.rpc.Code.INVALID_ARGUMENT: the operation fails with it. */
class PayloadRefused extends Error {
  override name = "PayloadRefused";
  readonly code = 3;
}

/**
 * Takes `{"videos": [{"source": "holiday.mp4"}, {"seconds": 20, "renditions": ["360p"]}]}`, 1 - 20 of them. Answers
 * `{"list": "ID.json", "videos": [...]}`, where each video is what its child answered; the list is the same, as a file of
 * the output folder. If one video cannot be cut the campaign fails, and the others are stopped.
 */
export function campaignOperation(output: string, checkVideo: CheckVideo): OperationDefinition {
  const check = (payload: JsonObject): FieldViolation[] => checkCampaign(payload, checkVideo);
  return defineOperation(
    // An attempt that runs again finds the children of the one before. The work is theirs: this one waits.
    { type: "dai.campaign", check, maxAttempts: 3, graceMs: 2_000, cleanupMs: 2_000, killMs: 1_000 },
    async (context, payload) => {
      const [violation] = check(payload);
      if (violation) throw new PayloadRefused(`${violation.field}: ${violation.description}`);
      const videos = await cutVideos(context, payload["videos"] as JsonObject[]);
      return { list: await publishList(context, output, videos), videos };
    },
  );
}

function checkCampaign(payload: JsonObject, checkVideo: CheckVideo): FieldViolation[] {
  const unknown = Object.keys(payload).find((name) => name !== "videos");
  if (unknown !== undefined) {
    return [
      { field: "", description: `the payload has no field ${JSON.stringify(unknown)}; it has: videos` },
    ];
  }
  const { videos } = payload;
  if (!Array.isArray(videos) || videos.length === 0 || videos.length > VIDEOS_MAX) {
    return [{ field: "videos", description: `is not a list of 1 to ${VIDEOS_MAX} videos` }];
  }
  return videos.flatMap((video, index) => {
    const place = `videos[${index}]`;
    if (typeof video !== "object" || video === null || Array.isArray(video)) {
      return [{ field: place, description: "is no object" }];
    }
    return checkVideo(video).map(({ field, description }) => ({
      field: field === "" ? place : `${place}.${field}`,
      description,
    }));
  });
}

async function cutVideos(context: OperationContext, videos: readonly JsonObject[]): Promise<JsonObject[]> {
  const children = await Promise.all(
    videos.map((payload, index) => {
      // By its number, so that the same video is the same child in each attempt.
      const options = { payload, requestId: `video-${index}`, description: `video ${index + 1}` };
      return context.start("dai.ingest", options);
    }),
  );
  let done = 0;
  return Promise.all(
    children.map(async (child) => {
      const { stdout } = await child.wait();
      done++;
      context.progress((100 * done) / children.length, `${done} of ${children.length} videos`);
      return JSON.parse(String(stdout)) as JsonObject;
    }),
  );
}

/** Whole or not at all, as the videos: written aside, and put into place by one rename. */
async function publishList(
  { name, signal, onCleanup }: OperationContext,
  output: string,
  videos: readonly JsonObject[],
): Promise<string> {
  const id = name.slice(name.lastIndexOf("/") + 1);
  const partial = await createPartialFolder(output, id);
  onCleanup(() => removeFolder(partial));
  const draft = join(partial, "list.json");
  await writeFile(draft, `${JSON.stringify({ videos }, null, 2)}\n`, { signal });
  const list = `${id}.json`;
  await rename(draft, join(output, list));
  await removeFolder(partial);
  return list;
}
