// Gives back what the start needed. Loading the program is one burst of short-lived objects: V8 grows its young generation
// for it and keeps that for good. One collection that shrinks the heap, once the first calls are answered: 116 MB resident
// when idle instead of 131, for one pause of 50 ms. Keeping the heap small during the start gave the same for 100 ms more
// until the first answer.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { startTimer } from "../base/timers.ts";

const START_MS = 2_000;

type Collect = (options: { type: "major"; execution: "sync"; flavor: "last-resort" }) => void;

/** Shrinks the heap in two seconds. */
export function shrinkHeapAfterStart(): void {
  startTimer(START_MS, shrinkHeap, { unref: true });
}

/** V8 has its collector as a function only while this flag is set; the new context gets it. */
function shrinkHeap(): void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as Collect;
  setFlagsFromString("--no-expose-gc");
  collect({ type: "major", execution: "sync", flavor: "last-resort" });
}
