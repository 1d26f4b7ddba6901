// Bugs of the worker, one at a time, each found by the tests that are named for it. Those of the core, the engine's shell and
// the store are in mutants.test.ts, those of what stands before the engine in services.test.ts.
import { killAll } from "./kill-all.ts";
import { workerMutants } from "./worker-mutants.ts";

killAll("worker", workerMutants);
