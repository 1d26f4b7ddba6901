// The suite: claims about a worker, made on one server, for a worker in whatever language.
import { after, before, describe } from "node:test";
import type { Scene } from "./claim.ts";
import { Stage, type Team, type WorkerProgram } from "./worker-stage.ts";

/** Claims that run at the same time: most of them wait for some time to pass. */
const SIDE_BY_SIDE = 5;
const CALM_SLOTS = 64;

/** Checks the claims, side by side, on `program`. */
export function describeWorker(
  program: WorkerProgram,
  title: string,
  claims: readonly ((scene: Scene) => void)[],
): void {
  describe(`a ${program.language} worker ${title}`, { concurrency: SIDE_BY_SIDE }, () => {
    let stage: Stage;
    let calm: Team;
    before(async () => {
      stage = await Stage.open(program);
      calm = stage.team();
      await calm.worker({ slots: CALM_SLOTS });
    });
    after(async () => {
      await calm.close();
      await stage.close();
    });
    const scene: Scene = { stage: () => stage, calm: () => calm, openStage: () => Stage.open(program) };
    for (const claim of claims) claim(scene);
  });
}
