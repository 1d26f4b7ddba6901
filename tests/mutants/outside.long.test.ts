// Bugs that somebody could write, one at a time, into what stands before the engine and beside it: the door, who may call
// what, declared services, the yandex dialect, workers. The tests that are named for each find it. Here are the first ones of
// each requirement (mutant-lists.ts); the others are in mutants.long.test.ts.
import { killAll } from "./kill-all.ts";
import { firstOfEach, outerLists } from "./mutant-lists.ts";

killAll("wire, identity, services and workers", firstOfEach(outerLists));
