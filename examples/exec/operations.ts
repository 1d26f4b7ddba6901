// Commands that the operator of the server lists; `belay serve --operations examples/exec/operations.ts` runs them.
// A caller chooses the type and sends a payload. What runs is decided here, and no shell ever sees the payload.
import { fileURLToPath } from "node:url";
import { defineOperation, type JsonObject, type OperationDefinition } from "belayd/worker";

const countdown = fileURLToPath(new URL("./countdown.sh", import.meta.url));
const checksum = fileURLToPath(new URL("./checksum.ts", import.meta.url));

/** The folder below which exec.checksum may read: CHECKSUM_ROOT, or this repository. */
const { CHECKSUM_ROOT: checksumRoot = fileURLToPath(new URL("../..", import.meta.url)) } = process.env;

const COUNT_MAX = 3_600;

/** google.rpc.Code.INVALID_ARGUMENT: the operation fails with it. */
class InvalidPayload extends Error {
  override name = "InvalidPayload";
  readonly code = 3;
}

/** Seconds to count, from `{"from": 30}`; with `"stubborn": true` the command ignores SIGTERM. */
export function countdownCommand({ from = 30, stubborn = false }: JsonObject): [string, ...string[]] {
  if (typeof from !== "number" || !Number.isInteger(from) || from < 1 || from > COUNT_MAX) {
    throw new InvalidPayload(`from ${JSON.stringify(from)} is not a whole number from 1 to ${COUNT_MAX}`);
  }
  if (typeof stubborn !== "boolean") throw new InvalidPayload("stubborn is neither true nor false");
  return ["/bin/sh", countdown, String(from), ...(stubborn ? ["stubborn"] : [])];
}

export const operations: readonly OperationDefinition[] = [
  defineOperation({
    type: "exec.countdown",
    kind: "process",
    command: countdownCommand,
    graceMs: 2_000,
    killMs: 2_000,
  }),
  defineOperation({
    type: "exec.checksum",
    kind: "process",
    command: [process.execPath, checksum, checksumRoot],
    // It only reads, so that it may run again.
    maxAttempts: 3,
    graceMs: 2_000,
  }),
];
