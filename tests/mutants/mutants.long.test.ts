// Bugs of the worker and on the wire, one at a time, each found by the tests that are named for it. Those of the core, the
// engine's shell and the store are in mutants.test.ts.
import { killAll } from "./kill-all.ts";
import { wireMutants } from "./wire-mutants.ts";
import { workerMutants } from "./worker-mutants.ts";

killAll("worker and wire", [...workerMutants, ...wireMutants]);
