// Callers of all nodes at once: each call goes to any of them, and many are about operations that others have started. What
// they are answered is recorded.
import { delay } from "../../src/base/timers.ts";
import type { StartOptions } from "../../src/client/client.ts";
import { RecordedCaller, type Recorder } from "../history/recorder.ts";
import type { ChaosRandom } from "./chaos-random.ts";

export interface ClusterLoad {
  callers: number;
  /** The longest pause between two calls of a caller. */
  pauseMs: number;
  addresses: readonly string[];
  passing?: NonNullable<ConstructorParameters<typeof RecordedCaller>[1]["passing"]>;
  callTimeoutMs?: number;
}

/** How many of the newest operations callers know of. */
const RECENT = 12;
const WAIT_MS = 700;

/** Calls until `isOver`. */
export async function runClusterLoad(
  recorder: Recorder,
  load: ClusterLoad,
  random: ChaosRandom,
  isOver: () => boolean,
): Promise<void> {
  const { callers, addresses, passing, callTimeoutMs } = load;
  const recent: string[] = [];
  const run = async (index: number): Promise<void> => {
    const own = random.fork();
    const caller = new RecordedCaller(recorder, {
      ...{ name: `c${index}`, addresses },
      ...(passing && { passing }),
      ...(callTimeoutMs !== undefined && { callTimeoutMs }),
    });
    for (let count = 0; !isOver(); count++) {
      for (let turns = own.whole(0, addresses.length - 1); turns > 0; turns--) caller.turn();
      await callOnce(caller, own, count, recent, isOver);
      await delay(own.whole(0, load.pauseMs));
    }
    caller.close();
  };
  await Promise.all(Array.from({ length: callers }, (_, index) => run(index)));
}

async function callOnce(
  caller: RecordedCaller,
  random: ChaosRandom,
  count: number,
  recent: string[],
  isOver: () => boolean,
): Promise<void> {
  const what = random.whole(1, 100);
  if (what <= 40 || recent.length === 0) {
    const { type, ...options } = randomWork(random);
    const requestId = `${caller.name}-${count}`;
    const name = await caller.start(type, { ...options, requestId, labels: { caller: caller.name } }, isOver);
    if (name === undefined) return;
    recent.push(name);
    if (recent.length > RECENT) recent.shift();
    // As a client does whose first answer was lost.
    if (random.percent(10))
      await caller.start(type, { ...options, requestId, labels: { caller: caller.name } }, () => true);
    return;
  }
  const name = random.pick(recent);
  if (what <= 55) await caller.get(name);
  else if (what <= 62) await caller.wait(name, WAIT_MS);
  else if (what <= 70) await caller.getGoogle(name);
  else if (what <= 90) {
    const how = random.percent(20) ? { force: true } : random.percent(30) ? { graceMs: 50 } : {};
    await caller.cancel(name, { reason: `${caller.name}-${count}`, ...how });
  } else if (what <= 93) await caller.cancelGoogle(name);
  else if (what <= 97) await caller.list(random.percent(50) ? null : { key: "caller", value: caller.name });
  else await caller.delete(name);
}

/** Short work, some of which does not listen, fails, or may run again. */
function randomWork(random: ChaosRandom): StartOptions & { type: string } {
  const type = random.pick([
    "trace.inline",
    "trace.inline",
    "trace.inline",
    "trace.cleanup",
    "trace.command",
  ]);
  return {
    type,
    payload: {
      ms: random.whole(5, 600),
      beatMs: 20,
      deaf: random.percent(15),
      ...(type !== "trace.command" && random.percent(10) && { failures: 1 }),
    },
    graceMs: random.whole(50, 500),
    maxAttempts: random.whole(1, 3),
    backoffMs: random.whole(0, 100),
    attemptTimeoutMs: 5000,
  };
}
