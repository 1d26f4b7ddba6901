// The receipts of all that the tour has cancelled at the main service: exported, verified, and found out when one is
// changed.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { belayCommand, outputOf, rowOf } from "../belay-command.ts";
import type { Show } from "../show.ts";
import type { StopResult } from "../stop-result.ts";
import type { TourWorld } from "../systems.ts";
import type { Scene } from "./scene.ts";

/** The exit code of a chain that is not intact. */
const BROKEN = 10;
/** Of an operation that was cancelled before it began: REQUESTED and ENDED. */
const EVENTS_OF_ONE = 2;
const TRIES_MAX = 50;

export const receipts: Scene = {
  id: "receipts",
  title: "who cancelled what, and what came of it: the chain of receipts",
  example: "exec",
  missing: () => null,
  run,
};

async function run({ root, server, folders, signal }: TourWorld, show: Show): Promise<StopResult> {
  const belay = belayCommand({ root, port: server.port, signal });
  // So that there is one receipt at least, where it is the only stop.
  const name = await outputOf(belay(["start", "exec.countdown", "--delay", "1h"]));
  await outputOf(belay(["cancel", name, "--reason", "for the receipt"]));
  const file = join(folders.top, "receipts.jsonl");
  await exportWith(name, () => outputOf(belay(["receipt", "--export", file])), file);
  show.field("export", "belay receipt --export receipts.jsonl");
  const whole = await outputOf(belay(["receipt", "--verify", file]));
  show.field("verify", "belay receipt --verify receipts.jsonl");
  show.field(
    "",
    `${rowOf(whole, "chain")}: ${rowOf(whole, "entries")} entries, signed by ${rowOf(whole, "signed by")}`,
  );
  const changed = join(folders.top, "changed.jsonl");
  writeFileSync(changed, readFileSync(file, "utf8").replace("for the receipt", "for the records"));
  const { code, stdout } = await belay(["receipt", "--verify", changed]);
  show.field("forge", `the reason of ${name} is changed to "for the records"`);
  show.field("verify", "belay receipt --verify changed.jsonl");
  show.field("", `${rowOf(stdout, "chain")}: ${rowOf(stdout, "changed")}`);
  const isGood = /^intact/.test(rowOf(whole, "chain")) && code === BROKEN;
  return {
    id: "receipts",
    outcome: isGood ? "verified" : "NOT VERIFIED",
    evidence: `${rowOf(whole, "entries")} entries`,
    mechanism: "Ed25519",
    latency: "",
    pieces: [],
    isGone: true,
    isGood,
  };
}

/** Exports until the newest receipt is in it: the chain follows the commits at a small distance. */
async function exportWith(name: string, exporting: () => Promise<string>, file: string): Promise<void> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    // An export is not written over: it may be somebody's only copy.
    rmSync(file, { force: true });
    await exporting();
    const lines = readFileSync(file, "utf8").split("\n");
    if (lines.filter((line) => line.includes(name)).length >= EVENTS_OF_ONE) return;
  }
  throw new Error("the newest receipt is in no chain");
}
