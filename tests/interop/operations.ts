// The operation types that the interop tests serve. Responses that a client must read over REST are Empty or of a type
// that its service declares: a plain Google client decodes no other type that it was not built with.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { delay } from "../../src/base/timers.ts";
import {
  defineOperation,
  type OperationContext,
  type OperationDefinition,
} from "../../src/worker/define-operation.ts";
import { HEARTBEAT_FOLDER } from "./heartbeat.ts";

/** Longer than any test; only a cancel ends it. */
const HOLD_MS = 600_000;

const heartbeat = fileURLToPath(new URL("./heartbeat.sh", import.meta.url));
const { [HEARTBEAT_FOLDER]: folder = "/nonexistent" } = process.env;

/** Work in a process that Belay runs, and stops. */
function heartbeatProcess(type: string): OperationDefinition {
  return defineOperation({ type, kind: "process", command: ["sh", heartbeat, folder], graceMs: 5_000 });
}

/** Work in a process that the handler runs, and stops when it is told to. */
async function beatUntilCancelled({ name, signal }: OperationContext): Promise<never> {
  const env = { ...process.env, BELAY_OPERATION: name };
  const child = spawn("sh", [heartbeat, folder], { env, stdio: "ignore" });
  const exited = once(child, "exit");
  signal.addEventListener("abort", () => child.kill(), { once: true });
  if (signal.aborted) child.kill();
  await exited;
  signal.throwIfAborted();
  throw new Error("the heartbeat ended by itself");
}

export const operations: readonly OperationDefinition[] = [
  defineOperation({ type: "interop.hold", graceMs: 5_000 }, async (context) => {
    await delay(HOLD_MS, context.signal);
    return undefined;
  }),
  defineOperation({ type: "interop.nap" }, async (context) => {
    await delay(300, context.signal);
    return undefined;
  }),
  defineOperation({ type: "interop.struct" }, async () => ({ pages: 3 })),
  defineOperation({ type: "interop.fail" }, async () => {
    throw new Error("page 2 cannot be read");
  }),
  defineOperation({ type: "interop.stubborn", cancellable: false }, async (context) => {
    await delay(HOLD_MS, context.signal);
    return undefined;
  }),
  heartbeatProcess("interop.work"),
  heartbeatProcess("dai.ingest"),
  heartbeatProcess("vault.count"),
  defineOperation({ type: "vault.count-artifacts" }, async (context, { matterId }) => {
    if (matterId !== "quick") return await beatUntilCancelled(context);
    return { totalCount: "42", mailCountResult: { matchingAccountsCount: "1", queriedAccountsCount: "2" } };
  }),
  defineOperation({ type: "automl.create-model" }, async (context, { model }) => {
    const { displayName } = model as { displayName: string };
    context.progress(25, "epoch 1 of 4");
    if (!displayName.startsWith("quick")) return await beatUntilCancelled(context);
    return { name: "projects/p1/locations/us-central1/models/ICN42", displayName };
  }),
  defineOperation({ type: "automl.delete-model" }, async () => undefined),
  defineOperation({ type: "yandex.recognize" }, async (context, { model }) => {
    if (model !== "quick") return await beatUntilCancelled(context);
    const text = "Dear Ada";
    return { textAnnotation: { fullText: text, blocks: [{ lines: [{ text }] }] }, page: "0" };
  }),
];
