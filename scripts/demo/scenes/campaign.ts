// A family: one operation with three children, each an ffmpeg, stopped by one cancel.
import { missing as missingFfmpeg } from "../../../examples/dai-ingest/ffmpeg.ts";
import { belayCommand, outputOf } from "../belay-command.ts";
import type { CancelReceipt } from "../operation-watch.ts";
import type { Show } from "../show.ts";
import type { StopResult } from "../stop-result.ts";
import type { TourWorld } from "../systems.ts";
import { processLookout } from "../work-pieces.ts";
import { latencyOf, nativeOperation, untilGone, untilSeen } from "./looking.ts";
import type { Scene } from "./scene.ts";

const VIDEOS = 3;

interface FamilyReceipt extends CancelReceipt {
  children?: { name: string; type: string; state: string }[];
}

export const campaign: Scene = {
  id: "family",
  title: `one cancel for a campaign of ${VIDEOS} videos, each a child with an ffmpeg`,
  example: "dai-ingest",
  missing: missingFfmpeg,
  run,
};

async function run(world: TourWorld, show: Show): Promise<StopResult> {
  const { root, server, signal } = world;
  const belay = belayCommand({ root, port: server.servicePorts["dai"] ?? server.port, signal });
  const video = { seconds: 60, renditions: ["360p"] };
  const payload = JSON.stringify({ videos: Array.from({ length: VIDEOS }, () => video) });
  const name = await outputOf(belay(["start", "dai.campaign", "--payload", payload]));
  show.field(
    "start",
    `belay start dai.campaign --payload '{"videos": [{"seconds": 60, ...}, ...]}' -> ${name}`,
  );
  const pieces = await untilSeen(processLookout(server.pid, /ffmpeg -nostdin.* -f hls/), signal, VIDEOS);
  for (const { text } of pieces) show.field("work", text);
  const preview = await outputOf(belay(["cancel", name, "--preview"]));
  const wouldStop = preview.split("\n").filter((line) => line.startsWith("would stop"));
  show.field("preview", `belay cancel ${name} --preview: ${wouldStop.length} operations would stop`);
  show.field("cancel", `belay cancel ${name} --wait`);
  await outputOf(belay(["cancel", name, "--wait"]));
  const isGone = await untilGone(pieces, show);
  const receipt = await nativeOperation<FamilyReceipt>(world, "dai", `${name}/receipt`);
  const { outcome, evidence, mechanism, children = [] } = receipt;
  for (const child of children) show.field("child", `${child.name} ${child.type} ${child.state}`);
  show.field("operation", `${outcome}, the last of them; ${latencyOf(receipt)} after the request`);
  const isGood =
    outcome === "CANCELLED" &&
    children.length === VIDEOS &&
    children.every(({ state }) => state === "CANCELLED");
  return { id: "family", outcome, evidence, mechanism, latency: latencyOf(receipt), pieces, isGone, isGood };
}
