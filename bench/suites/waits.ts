// 10,000 held Waits over 100 connections: memory of the server for each, and how fast all are woken.
import type { Belay } from "../belay-server.ts";
import { startChild } from "../child.ts";
import { type Measurement, measured, ROUNDS, type Suite } from "../measurement.ts";

const WAITS = 10_000;
const CONNECTIONS = 100;

async function once(): Promise<{ kilobytes: number; seconds: number }> {
  const belay = await startChild<Belay>(new URL("../belay-server.ts", import.meta.url));
  const driver = await startChild(new URL("../drivers/wait-driver.ts", import.meta.url));
  await using server = belay.child;
  await using client = driver.child;
  const { names } = await server.ask<{ names: string[] }>({ ask: "hold", count: WAITS });
  const before = await server.ask<{ residentBytes: number }>({ ask: "memory" });
  await client.ask({ ask: "wait", address: belay.ready.address, names, connections: CONNECTIONS });
  const { waiters } = await server.ask<{ waiters: number }>({ ask: "waiters", count: WAITS });
  if (waiters !== WAITS) throw new Error(`${waiters} waits are held, not ${WAITS}`);
  const during = await server.ask<{ residentBytes: number }>({ ask: "memory" });
  const woken = client.ask<{ lastNs: string; done: number }>({ ask: "woken" });
  const { committedNs } = await server.ask<{ committedNs: string }>({ ask: "release" });
  const { lastNs, done } = await woken;
  if (done !== WAITS) throw new Error(`${done} of ${WAITS} waits answered a done operation`);
  return {
    kilobytes: (during.residentBytes - before.residentBytes) / WAITS / 1000,
    seconds: Number(BigInt(lastNs) - BigInt(committedNs)) / 1e9,
  };
}

async function run(): Promise<readonly Measurement[]> {
  const kilobytes: number[] = [];
  const seconds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const result = await once();
    kilobytes.push(result.kilobytes);
    seconds.push(result.seconds);
  }
  return [
    measured(
      "wait-memory",
      "kB",
      kilobytes,
      ["<", 15],
      `server's resident memory for each of ${WAITS} held waits`,
    ),
    measured(
      "wait-wake-all",
      "s",
      seconds,
      ["<", 3],
      "from the first commit of the bulk finish to the last answer at the client",
    ),
  ];
}

export const waitsSuite: Suite = {
  name: "waits",
  method: `${WAITS} operations, each with one held WaitOperation, over ${CONNECTIONS} gRPC connections of one client process; then all operations finish at once.`,
  run,
};
