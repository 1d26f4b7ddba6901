// One suite for every store: what the port promises, whatever holds the rows. One file a noun.
import { after, before, describe } from "node:test";
import { exerciseCancel } from "./cancel.ts";
import { exerciseChains } from "./chains.ts";
import { exerciseChildren } from "./children.ts";
import { exerciseCommit } from "./commit.ts";
import { exerciseDifferential } from "./differential.ts";
import { exerciseFeed } from "./feed.ts";
import { exerciseFeedReads } from "./feed-reads.ts";
import { exerciseFilters } from "./filters.ts";
import { exerciseGrantedStarts } from "./granted-starts.ts";
import { exerciseLeases } from "./leases.ts";
import { exerciseLists } from "./lists.ts";
import { exerciseReads } from "./reads.ts";
import { exerciseReceipts } from "./receipts.ts";
import { exerciseRequestKeys } from "./request-keys.ts";
import { exerciseRetention } from "./retention.ts";
import { exerciseRules } from "./rules.ts";
import { exerciseSessions } from "./sessions.ts";
import { exerciseSlots } from "./slots.ts";
import { type StoreFactory, type StoreHarness, World } from "./store-harness.ts";

/** Defines the tests of one noun; `world` answers a fresh world in the noun's store. */
type Exercise = (world: () => World) => void;

const exercises: readonly [noun: string, exercise: Exercise][] = [
  ["commit", exerciseCommit],
  ["cancel", exerciseCancel],
  ["leases", exerciseLeases],
  ["granted starts", exerciseGrantedStarts],
  ["lists", exerciseLists],
  ["filters", exerciseFilters],
  ["request keys", exerciseRequestKeys],
  ["receipts", exerciseReceipts],
  ["retention", exerciseRetention],
  ["feed and audit", exerciseFeed],
  ["reads", exerciseReads],
  ["slots", exerciseSlots],
  ["children", exerciseChildren],
  ["sessions", exerciseSessions],
  ["rules", exerciseRules],
  ["feed reads", exerciseFeedReads],
  ["chains", exerciseChains],
  ["differential", exerciseDifferential],
];

/** Runs every exercise on stores of the factory, but those `without` names: one store for each noun. */
export function exerciseStore(name: string, factory: StoreFactory, without: readonly string[] = []): void {
  for (const [noun, exercise] of exercises.filter(([noun]) => !without.includes(noun))) {
    describe(`${name}: ${noun}`, () => {
      let harness: StoreHarness;
      before(async () => {
        harness = await factory();
      });
      after(() => harness?.dispose());
      exercise(() => new World(harness));
    });
  }
}
