// The bugs that only several nodes on one PostgreSQL can show: the first of each guarantee is put in by every run.
import { killAll } from "./kill-all.ts";
import { clusterLists, firstOfEach } from "./mutant-lists.ts";

killAll("several nodes on one database", firstOfEach(clusterLists));
