// The TypeScript worker that the conformance tests run; examples/worker-python/conformance_worker.py behaves exactly alike.
// Each handler tells what it does in the file `log` of its operation's folder.
// Usage: typescript-worker.ts SERVER NAME SLOTS LEASE_SECONDS PREFIX; the types are PREFIX.echo and so on.
import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { delay } from "../../../src/base/timers.ts";
import {
  createWorker,
  defineOperation,
  type JsonObject,
  type OperationAborted,
  type OperationContext,
  type OperationDefinition,
  RetryableError,
} from "../../../src/worker/worker.ts";

const DRAIN_MS = 3_000;
const LOOK_MS = 20;

const [server = "", name = "", slots = "", leaseSeconds = "", prefix = "worker"] = process.argv.slice(2);
const stubborn = fileURLToPath(new URL("../../../examples/worker-python/stubborn.sh", import.meta.url));

const quick = { graceMs: 400, killMs: 1_000 };
const again = { maxAttempts: 3, backoffMs: 0 };

function tell(input: JsonObject, line: string): void {
  appendFileSync(join(String(input["folder"]), "log"), `${line}\n`);
}

function isThere(input: JsonObject, file: string): boolean {
  return existsSync(join(String(input["folder"]), file));
}

/** Resolves when the work must stop. */
async function aborted({ signal }: OperationContext): Promise<OperationAborted> {
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  return signal.reason;
}

/** Runs until it is aborted, and stops because of that. */
async function hold(context: OperationContext, input: JsonObject): Promise<never> {
  tell(input, `begun ${context.attempt}`);
  const reason = await aborted(context);
  tell(input, `aborted ${reason.kind} ${reason.reason}|${reason.requestedBy}`);
  throw reason;
}

/** Shows progress and keeps a checkpoint before it is aborted. */
async function partial(context: OperationContext, input: JsonObject): Promise<never> {
  context.progress(40, "forty");
  await context.checkpoint({ done: 412, of: 1000 });
  return await hold(context, input);
}

/** Does not heed the abort: runs until the file `release` is there. */
async function deaf(context: OperationContext, input: JsonObject): Promise<JsonObject> {
  tell(input, `begun ${context.attempt}`);
  while (!isThere(input, "release")) await delay(LOOK_MS);
  tell(input, "released");
  return {};
}

/** Finishes its work when it is aborted. */
async function finish(context: OperationContext, input: JsonObject): Promise<JsonObject> {
  tell(input, `begun ${context.attempt}`);
  await aborted(context);
  return { finished: true };
}

async function fail(context: OperationContext, input: JsonObject): Promise<never> {
  tell(input, `begun ${context.attempt}`);
  const message = String(input["message"]);
  throw input["retryable"] ? new RetryableError(message) : new Error(message);
}

/** The second attempt finds what the first one kept. */
async function resume(context: OperationContext): Promise<JsonObject> {
  if (context.attempt === 1) {
    await context.checkpoint({ step: 7 });
    throw new RetryableError("once more");
  }
  return { resumedAt: context.checkpointed?.["step"] ?? null };
}

/** Holds the abort back until the file `go` is there. */
async function section(context: OperationContext, input: JsonObject): Promise<never> {
  await context.critical("writing the index", async () => {
    tell(input, "section entered");
    while (!isThere(input, "go") && !context.signal.aborted) await delay(LOOK_MS);
    tell(input, context.signal.aborted ? "section cut" : "section left");
  });
  return await hold(context, input);
}

async function cleanup(context: OperationContext, input: JsonObject): Promise<never> {
  context.onCleanup(() => tell(input, "cleaned first"));
  context.onCleanup(() => tell(input, "cleaned second"));
  return await hold(context, input);
}

/** Starts a child of the given type, and waits for it. */
async function parent(context: OperationContext, input: JsonObject): Promise<JsonObject> {
  const child = await context.start(String(input["child"]), {
    payload: { folder: input["childFolder"] ?? "" },
    policy: input["policy"] as "cancel",
    requestId: "child",
  });
  tell(input, `child ${child.name}`);
  return { child: child.name, response: await child.wait() };
}

const command = (input: JsonObject): [string, ...string[]] => ["bash", stubborn, String(input["folder"])];

const handlers: OperationDefinition[] = [
  defineOperation({ type: `${prefix}.echo`, ...quick }, async (_, input) => ({
    echo: input["value"] ?? null,
  })),
  defineOperation({ type: `${prefix}.hold`, ...quick }, hold),
  defineOperation({ type: `${prefix}.again`, ...quick, ...again }, hold),
  defineOperation({ type: `${prefix}.partial`, ...quick }, partial),
  defineOperation({ type: `${prefix}.deaf`, ...quick }, deaf),
  defineOperation({ type: `${prefix}.finish`, ...quick }, finish),
  defineOperation({ type: `${prefix}.fail`, ...quick, ...again, maxAttempts: 2 }, fail),
  defineOperation({ type: `${prefix}.resume`, ...quick, ...again, maxAttempts: 2 }, resume),
  defineOperation({ type: `${prefix}.section`, ...quick, criticalMs: 5_000 }, section),
  defineOperation({ type: `${prefix}.cut`, ...quick, criticalMs: 300 }, section),
  defineOperation({ type: `${prefix}.cleanup`, ...quick, cleanupMs: 2_000 }, cleanup),
  defineOperation({ type: `${prefix}.parent`, ...quick }, parent),
  defineOperation({ type: `${prefix}.command`, kind: "process", ...quick, command }),
  defineOperation({ type: `${prefix}.command-again`, kind: "process", ...quick, ...again, command }),
];

const worker = createWorker({
  ...{ server, name, handlers, build: "conformance" },
  ...{ slots: Number(slots), leaseMs: Number(leaseSeconds) * 1000 },
});
await worker.start();
process.once("SIGTERM", async () => {
  await worker.drain(DRAIN_MS);
  await worker.close();
  process.exit(0);
});
