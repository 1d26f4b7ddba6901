// belay workers: the connected workers and how busy they are.
import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { wallClockInstant } from "../../base/clock.ts";
import type { Worker } from "../../client/client.ts";
import { messageJson } from "../../client/operation-json.ts";
import { WorkerSchema } from "../../protocol/gen/belay/v1/operations_pb.ts";
import { addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { addExamples } from "../command-options.ts";
import { formatDuration } from "../duration.ts";
import { type Cell, printable, printJson, printNote, printTable } from "../output.ts";

/** Defines `belay workers`. */
export function defineWorkers(command: Command): void {
  command.description(
    "Lists the connected workers: what they run, how many slots are taken, when they were last heard. HELD counts " +
      "operations that were taken from a worker and may still run there.",
  );
  addClientOptions(command);
  addExamples(command, ["belay workers", "belay workers --json"]);
  command.action(listWorkers);
}

const header: readonly string[] = [
  "WORKER",
  "SESSION",
  "SLOTS",
  "RUNNING",
  "RESERVED",
  "HELD",
  "HEARD",
  "LEASE",
  "TYPES",
];

async function listWorkers(options: ClientOptions): Promise<void> {
  const workers = await withClient(options, (client) => client.workers());
  if (options.json) printJson({ workers: workers.map((worker) => messageJson(WorkerSchema, worker)) });
  else if (workers.length > 0)
    printTable(
      header,
      workers.map((worker) => row(worker, wallClockInstant() / 1000)),
    );
  else printNote("no workers are connected");
}

function row(worker: Worker, nowMs: number): Cell[] {
  const { embedded, guarded, heartbeatTime, lease, held } = worker;
  const build = worker.buildId === "" ? "" : ` (${worker.buildId})`;
  const heard = heartbeatTime ? `${formatDuration(nowMs - timestampMs(heartbeatTime))} ago` : "";
  const leaseText = lease ? formatDuration(durationMs(lease)) : "";
  return [
    { text: printable(`${worker.worker}${build}`) },
    { text: worker.session },
    { text: String(worker.slots) },
    { text: String(worker.running) },
    { text: String(worker.reserved) },
    held > 0 ? { text: String(held), style: "red" } : { text: "0" },
    { text: embedded ? "in the server" : heard },
    { text: embedded ? "" : `${leaseText}${guarded ? "" : ", unguarded"}` },
    { text: typesText(worker.types) },
  ];
}

const TYPES_SHOWN = 5;

function typesText(types: readonly string[]): string {
  const more = types.length - TYPES_SHOWN;
  return `${types.slice(0, TYPES_SHOWN).join(" ")}${more > 0 ? ` and ${more} more` : ""}`;
}
