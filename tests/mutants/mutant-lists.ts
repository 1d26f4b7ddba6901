// All mutants, and which of them every run puts in.
//
// The rule: one mutant of each list for each id that the list names, the first that is killed quickly; for an id that has no
// quick one in any list, the first of all. So every guarantee has one. `npm test` puts in those of the core and the stores
// (mutants.test.ts, cluster.test.ts); the full run those of the rest (outside.long.test.ts), and all others (mutants.long.test.ts).
import { accessMutants } from "./access-mutants.ts";
import { cancelMutants } from "./cancel-mutants.ts";
import { clusterMutants } from "./cluster-mutants.ts";
import { elsewhereMutants } from "./elsewhere-mutants.ts";
import { escalationMutants } from "./escalation-mutants.ts";
import { familyMutants } from "./family-mutants.ts";
import { feedMutants } from "./feed-mutants.ts";
import { leaseMutants } from "./lease-mutants.ts";
import { nodeMutants } from "./node-mutants.ts";
import { receiptMutants } from "./receipt-mutants.ts";
import { recordMutants } from "./record-mutants.ts";
import { remoteMutants } from "./remote-mutants.ts";
import type { Mutant } from "./run-mutant.ts";
import { serviceMutants } from "./service-mutants.ts";
import { sessionMutants } from "./session-mutants.ts";
import { shellMutants } from "./shell-mutants.ts";
import { slotMutants } from "./slot-mutants.ts";
import { storeMutants } from "./store-mutants.ts";
import { tokenMutants } from "./token-mutants.ts";
import { wireMutants } from "./wire-mutants.ts";
import { workerMutants } from "./worker-mutants.ts";
import { yandexMutants } from "./yandex-mutants.ts";

type MutantLists = readonly (readonly Mutant[])[];

/** The pure core, the engine's shell and the store. */
export const coreLists: MutantLists = [
  leaseMutants,
  cancelMutants,
  escalationMutants,
  recordMutants,
  familyMutants,
  slotMutants,
  sessionMutants,
  shellMutants,
  feedMutants,
  receiptMutants,
  storeMutants,
];

/** The store that several nodes share: what SQLite cannot show. */
export const clusterLists: MutantLists = [clusterMutants];

/** What stands before the engine, the workers beside it, and several nodes of it. */
export const outerLists: MutantLists = [
  nodeMutants,
  elsewhereMutants,
  wireMutants,
  accessMutants,
  tokenMutants,
  serviceMutants,
  yandexMutants,
  remoteMutants,
  workerMutants,
];

/** Its killer waits for something that the bug keeps from happening: ten seconds and more. */
function isSlow({ killers }: Mutant): boolean {
  return killers[0]?.says === "not within" || killers[0]?.says === "timed out";
}

/** What every run puts in. */
export function firstOfEach(lists: MutantLists): readonly Mutant[] {
  const chosen: Mutant[] = [];
  const ids = new Set<string>();
  for (const list of lists) {
    const own = new Set<string>();
    for (const mutant of list) {
      if (own.has(mutant.breaks) || isSlow(mutant)) continue;
      own.add(mutant.breaks);
      ids.add(mutant.breaks);
      chosen.push(mutant);
    }
  }
  for (const mutant of lists.flat()) {
    if (ids.has(mutant.breaks)) continue;
    ids.add(mutant.breaks);
    chosen.push(mutant);
  }
  return chosen;
}

/** What only the full run puts in. */
export function othersOfEach(lists: MutantLists): readonly Mutant[] {
  const chosen = new Set(firstOfEach(lists));
  return lists.flat().filter((mutant) => !chosen.has(mutant));
}
