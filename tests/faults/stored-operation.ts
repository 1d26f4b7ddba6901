// Starts for the fault programs that drive a store without an engine.
import { writeSync } from "node:fs";
import type { StartCommand } from "../../src/engine/commands.ts";
import type { OperationKey } from "../../src/engine/operation.ts";

/** Written at once, so that the line is out even if the process ends in the next instruction. */
export function say(line: string): void {
  writeSync(1, `${line}\n`);
}

export function keyOf(number: number): OperationKey {
  return { service: "default", tenant: "default", name: `operations/opr${String(number).padStart(17, "0")}` };
}

/** A start with a request of so many bytes. */
export function startOf(number: number, bytes: number): StartCommand {
  const key = keyOf(number);
  return {
    type: "start",
    key,
    id: key.name.slice("operations/".length),
    parent: "",
    operationType: "test.fault",
    createdBy: "",
    origin: "test",
    description: "",
    labels: {},
    policy: {
      cancel: { cancellable: true, graceMs: 0, criticalMs: 0, cleanupMs: 0, killMs: 0 },
      maxAttempts: 1,
      backoffMs: 0,
      backoffMaxMs: 0,
      attemptTimeoutMs: 60_000,
      stallTimeoutMs: 0,
      retentionMs: 30 * 24 * 3600 * 1000,
      onDelete: "keep",
      typeLimit: 0,
      keyLimit: 0,
      unwatchedMs: 0,
    },
    startAfter: 0,
    deadline: null,
    priority: 0,
    concurrencyKey: "",
    supersedeKey: "",
    rerunOf: "",
    parentAttempt: null,
    shared: false,
    request: { typeUrl: "test", bytes: new Uint8Array(bytes) },
    metadata: null,
    requestKey: null,
  };
}
