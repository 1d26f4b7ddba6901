// What this example offers; `belay serve --operations examples/vault-count/operations.ts` runs it.
import { defineOperation, type OperationDefinition, type ThreadDefinition } from "belayd/worker";
import { archiveRate } from "./archive.ts";
import { checkArtifactsRequest } from "./artifacts-request.ts";
import { checkCountRequest } from "./count-request.ts";

const limits: Omit<ThreadDefinition, "type" | "module"> = {
  kind: "thread",
  // Counting has no side effect, and the checkpoint keeps what is counted: running again is safe.
  maxAttempts: 3,
  // It stops between two chunks; the longest pause between them is the parsing of a large message.
  graceMs: 5_000,
  // It tells how far it is with every chunk.
  stallTimeoutMs: 60_000,
};

export const operations: readonly OperationDefinition[] = [
  defineOperation({
    type: "vault.count-artifacts",
    module: new URL("./count-artifacts.ts", import.meta.url),
    check: checkArtifactsRequest,
    ...limits,
  }),
  defineOperation({
    type: "vault.count",
    module: new URL("./count.ts", import.meta.url),
    check: checkCountRequest,
    ...limits,
  }),
];

// A wrong VAULT_COUNT_RATE ends the start, instead of every operation.
archiveRate();
