// A worker under a lease in a process of its own, for tests that look at it from outside. It takes its orders on the command
// line: `<lease in ms> <what to run> <folder>`, and says on standard output when its lease ends and that it runs.
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { monotonicMs, monotonicNs } from "../base/clock.ts";
import { createLogger } from "../base/logger.ts";
import { startInterval } from "../base/timers.ts";
import { createWorker, defineOperation } from "../worker/worker.ts";
import { RecordingConnection } from "./recording-connection.ts";

const [leaseMs = "0", what = "", folder = "", guarded = "guarded"] = process.argv.slice(2);
const connection = new RecordingConnection();
connection.hasLease = true;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const handlers = [
  // Never gives its thread back: nothing of the main thread can act any more.
  defineOperation({ type: "spin", killMs: 100 }, async () => {
    say("running");
    for (;;);
  }),
  // Ignores its signal, and writes a byte every millisecond.
  defineOperation({ type: "write", killMs: 100 }, () => {
    say("running");
    startInterval(1, () => appendFileSync(join(folder, "written"), "."));
    return new Promise(() => {});
  }),
  defineOperation({
    type: "command",
    kind: "process",
    killMs: 100,
    command: ["sh", "-c", `trap "" TERM; echo $$ > ${folder}/command.pid; while :; do sleep 0.05; done`],
  }),
];

const worker = createWorker({
  ...{ connection, handlers, processFolder: join(folder, "processes"), logger: createLogger("silent") },
  guarded: guarded === "guarded",
});
connection.renewLease(60_000);
await worker.start();
connection.renewLease(Number(leaseMs));
const leftMs = connection.leaseEndMs - monotonicMs();
say(`ends ${monotonicNs() + BigInt(Math.round(leftMs * 1e6))}`);
if (what === "nothing") say("running");
else connection.assign(what);
startInterval(60_000, () => {});
