// One claim about a worker as a test: with a team of its own, or the shared one, and what its processes printed if it fails.
import { test } from "node:test";
import type { Stage, Team } from "./worker-stage.ts";

/** What the claims of one file are made on; `calm` is a team whose one worker nothing disturbs. */
export interface Scene {
  stage(): Stage;
  calm(): Team;
  /** Another server, for a claim that kills it. */
  openStage(): Promise<Stage>;
}

/** A claim on workers that it may kill, stop and cut off. */
export function claim(scene: Scene, title: string, check: (team: Team) => Promise<void>): void {
  test(title, async () => {
    const team = scene.stage().team();
    try {
      await told(team, check);
    } finally {
      await team.close();
    }
  });
}

/** A claim on workers and their server. */
export function serverClaim(scene: Scene, title: string, check: (team: Team) => Promise<void>): void {
  test(title, async () => {
    const stage = await scene.openStage();
    const team = stage.team();
    try {
      await told(team, check);
    } finally {
      await team.close();
      await stage.close();
    }
  });
}

/** A claim that leaves its worker as it was: many of them are checked at the same time on one. */
export function calmClaim(scene: Scene, title: string, check: (team: Team) => Promise<void>): void {
  test(title, async () => {
    await told(scene.calm(), check);
  });
}

/** Passes a failure on with what the processes have printed. */
async function told(team: Team, check: (team: Team) => Promise<void>): Promise<void> {
  try {
    await check(team);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${message}\n${team.stage.output}\n${team.output}`, { cause: error });
  }
}
