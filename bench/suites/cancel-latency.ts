// From the acknowledged cancel, seen by the client, to the handler's abort event, in another process. Both read the
// machine's one monotonic clock.
import type { Belay } from "../belay-server.ts";
import { startChild } from "../child.ts";
import { type Measurement, measured, percentile, ROUNDS, type Suite } from "../measurement.ts";

const CANCELS = 300;

async function run(): Promise<readonly Measurement[]> {
  const belay = await startChild<Belay>(new URL("../belay-server.ts", import.meta.url));
  const driver = await startChild(new URL("../drivers/cancel-driver.ts", import.meta.url));
  await using server = belay.child;
  await using client = driver.child;
  const p50: number[] = [];
  const p99: number[] = [];
  const fromRequest: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { cancels } = await client.ask<{ cancels: { name: string; sentNs: string; ackNs: string }[] }>({
      address: belay.ready.address,
      count: CANCELS,
    });
    const { aborts } = await server.ask<{ aborts: Record<string, string> }>({ ask: "aborts" });
    const late = cancels.map(({ name, ackNs }) => Number(BigInt(aborts[name] ?? 0) - BigInt(ackNs)) / 1e6);
    const total = cancels.map(({ name, sentNs }) => Number(BigInt(aborts[name] ?? 0) - BigInt(sentNs)) / 1e6);
    // The abort may come before the client has read the answer: that is a latency of 0 after the acknowledgement.
    p50.push(Math.max(0, percentile(late, 0.5)));
    p99.push(Math.max(0, percentile(late, 0.99)));
    fromRequest.push(percentile(total, 0.5));
  }
  return [
    measured(
      "cancel-to-abort-p50",
      "ms",
      p50,
      ["<", 2],
      "after the acknowledgement; 0 where the abort was first",
    ),
    measured("cancel-to-abort-p99", "ms", p99, ["<", 20]),
    measured(
      "cancel-request-to-abort-p50",
      "ms",
      fromRequest,
      null,
      "from sending the request, the durable commit included",
    ),
  ];
}

export const cancelLatencySuite: Suite = {
  name: "cancel-latency",
  method: `${CANCELS} running operations, cancelled one by one over gRPC: acknowledgement to the handler's abort event.`,
  run,
};
