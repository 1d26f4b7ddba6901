// What a worker holds when it is lost: inline handlers, threads and commands with deaf children, half of them being
// cancelled, all of them deaf for a minute.
import assert from "node:assert/strict";
import { type BelayClient, OperationHandle, type StartRequest } from "../../src/client/client.ts";
import type { FaultWorld } from "./fault-world.ts";
import { stateName } from "./outside.ts";

/** Being cancelled when the worker is lost; or not, and then it may run again, or may not. */
export type Fate = "cancelled" | "retried" | "aborted";

export type HeldOperations = Readonly<Record<Fate | "all", string[]>>;

const BATCH = 10;

const kinds = ["trace.inline", "trace.thread", "trace.command"];

/** Half are cancelled; of the others every second one may run again. */
function fateOf(index: number): Fate {
  if (index % 2 === 0) return "cancelled";
  return index % 4 === 1 ? "retried" : "aborted";
}

/** A second attempt ends at once. */
function startOf(index: number): StartRequest {
  const payload = { ms: 120_000, retryMs: 0, beatMs: 500, deaf: true };
  const times = { graceMs: 120_000, backoffMs: 0, maxAttempts: fateOf(index) === "aborted" ? 1 : 2 };
  return { type: kinds[index % kinds.length] ?? "", payload, ...times };
}

/** Starts so many, waits until each really runs, and requests the cancels; none of them can end by itself. */
export async function holdOperations(
  world: FaultWorld,
  count: number,
  alreadyBegun = 0,
): Promise<HeldOperations> {
  const { client } = world;
  const held: HeldOperations = { all: [], cancelled: [], retried: [], aborted: [] };
  // Not all at once: a hundred threads and commands that start together can take a small machine longer than the lease.
  for (let first = 0; first < count; first += BATCH) {
    const size = Math.min(BATCH, count - first);
    const started = await client.batchStart(
      Array.from({ length: size }, (_, index) => startOf(first + index)),
    );
    for (const [index, handle] of started.entries()) {
      assert.ok(handle instanceof OperationHandle, String(handle));
      held.all.push(handle.name);
      held[fateOf(first + index)].push(handle.name);
    }
    await world.begun(alreadyBegun + first + size);
  }
  const cancels = held.cancelled.map((name) => client.cancel(name, { reason: "the worker will be lost" }));
  for (const { verdict } of await Promise.all(cancels)) assert.equal(verdict, "STOPPING");
  return held;
}

/** When each of them was told to have a state that counts: milliseconds of performance.now(). Resolves with the last. */
export async function whenTold(
  client: BelayClient,
  names: readonly string[],
  counts: (state: string) => boolean,
): Promise<Map<string, number>> {
  const told = new Map<string, number>();
  if (names.length === 0) return told;
  for await (const message of client.watch({ names })) {
    if (message.type === "caughtUp") continue;
    const { name, state } = message.event;
    if (!told.has(name) && counts(stateName(state))) told.set(name, performance.now());
    if (told.size === names.length) break;
  }
  return told;
}
