// A worker process of the benchmarks: takes its work from the server that it is told of, and notes when each handler began
// and when it was aborted, on the machine's one monotonic clock.
import { monotonicNs } from "../src/base/clock.ts";
import { createLogger } from "../src/base/logger.ts";
import { delay } from "../src/base/timers.ts";
import { createWorker, defineOperation } from "../src/worker/worker.ts";
import { answerParent, tellReady } from "./child.ts";

type Question = { ask: "running"; count: number } | { ask: "aborts" | "begins" };

const [server = "", slots = "1", leaseMs] = process.argv.slice(2);

let running = 0;
const aborts: Record<string, string> = {};
const begins: Record<string, string> = {};

const untilAborted = defineOperation({ type: "bench.remote" }, ({ name, signal }) => {
  running++;
  const { promise, reject } = Promise.withResolvers<undefined>();
  signal.addEventListener("abort", () => {
    aborts[name] = String(monotonicNs());
    running--;
    reject(signal.reason);
  });
  return promise;
});
const begun = defineOperation({ type: "bench.remote-begins" }, async ({ name }) => {
  begins[name] = String(monotonicNs());
  return undefined;
});

const worker = createWorker({
  server,
  handlers: [untilAborted, begun],
  slots: Number(slots),
  name: "bench-remote",
  logger: createLogger("warn"),
  ...(leaseMs !== undefined && { leaseMs: Number(leaseMs) }),
});
await worker.start();

answerParent<Question>(async (question) => {
  switch (question.ask) {
    case "running":
      while (running < question.count) await delay(10);
      return { running };
    case "aborts":
      return { aborts };
    case "begins":
      return { begins };
  }
});
tellReady({});
