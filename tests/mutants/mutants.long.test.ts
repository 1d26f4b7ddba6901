// The mutants that are not put in by every run (mutant-lists.ts), of all lists.
import { killAll } from "./kill-all.ts";
import { clusterLists, coreLists, othersOfEach, outerLists } from "./mutant-lists.ts";

killAll("all others", othersOfEach([...coreLists, ...clusterLists, ...outerLists]));
