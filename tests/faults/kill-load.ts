// The load of the kill tests: starts and cancels against a server that is killed under them, and the log of what was
// acknowledged. The log lives in this process, which is not killed.
import { randomUUID } from "node:crypto";
import { delay } from "../../src/base/timers.ts";
import { BelayError } from "../../src/client/belay-error.ts";
import { connect } from "../../src/client/client.ts";

export interface Acknowledged {
  /** Names by request id. */
  starts: Map<string, string>;
  /** The first acknowledged cancel of a name. */
  cancels: Map<string, { verdict: string; ackNs: bigint }>;
}

export interface LoadResult {
  starts: number;
  cancels: number;
  /** Calls that ended without an answer: their outcome is unknown, and they are retried with the same request id. */
  unknown: number;
  /** How often each status code came instead of an answer. */
  codes: Record<string, number>;
}

const LOOPS = 64;

/** Keeps LOOPS calls in flight until `stopped` says so: starts of several types, and cancels of what is running. */
export async function runLoad(
  address: string,
  acknowledged: Acknowledged,
  stopped: () => boolean,
  payload: Record<string, string>,
): Promise<LoadResult> {
  const result: LoadResult = { starts: 0, cancels: 0, unknown: 0, codes: {} };
  const failed = async (error: unknown): Promise<void> => {
    const code = error instanceof BelayError ? String(error.code) : String(error);
    result.codes[code] = (result.codes[code] ?? 0) + 1;
    result.unknown++;
    await delay(5);
  };
  const cancellable: string[] = [];
  const client = connect(address, { callTimeoutMs: 5000 });

  const startOne = async (index: number): Promise<void> => {
    const requestId = randomUUID();
    const type = index % 10 === 0 ? "fault.long" : index % 200 === 1 ? "fault.process" : "fault.quick";
    while (!stopped()) {
      try {
        const options = type === "fault.process" ? { requestId, payload } : { requestId };
        const { name } = await client.start(type, options);
        acknowledged.starts.set(requestId, name);
        result.starts++;
        if (type !== "fault.quick") cancellable.push(name);
        return;
      } catch (error) {
        await failed(error);
      }
    }
  };

  const cancelOne = async (): Promise<void> => {
    const name = cancellable.shift();
    if (name === undefined) return;
    try {
      const { verdict } = await client.cancel(name, { reason: "kill test" });
      acknowledged.cancels.set(name, { verdict, ackNs: process.hrtime.bigint() });
      result.cancels++;
    } catch (error) {
      cancellable.push(name);
      await failed(error);
    }
  };

  const loop = async (offset: number): Promise<void> => {
    for (let index = offset; !stopped(); index += LOOPS) {
      await startOne(index);
      if (index % 12 === 0) await cancelOne();
    }
  };
  await Promise.all(Array.from({ length: LOOPS }, (_, offset) => loop(offset)));
  client.close();
  return result;
}
