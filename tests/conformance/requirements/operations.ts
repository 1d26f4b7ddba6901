// The work behind the suite of requirements, for any server that it is pointed at (`belay serve --operations` takes this
// file). Everything is steered over the wire: a handler that waits is let go by an operation that opens its gate.
import { defineOperation, type JsonObject, type OperationDefinition } from "../../../src/worker/worker.ts";

const gates = new Map<string, PromiseWithResolvers<void>>();

/** A gate that is closed until somebody opens it, before or after others came to wait. */
function gate(name: unknown): PromiseWithResolvers<void> {
  const key = String(name);
  const found = gates.get(key) ?? Promise.withResolvers<void>();
  gates.set(key, found);
  return found;
}

interface Signalled {
  readonly signal: AbortSignal;
}

/** Until its gate is opened, or its abort. */
async function hold({ signal }: Signalled, name: unknown): Promise<JsonObject> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason));
  await Promise.race([gate(name).promise, promise]);
  return { ended: true };
}

class CodedError extends Error {
  readonly code: number;
  constructor(code: number) {
    super("the work failed");
    this.code = code;
  }
}

/** An order of the API `shop`, or what its title asks for: `hold GATE`, `fail CODE`. */
async function order(context: Signalled, request: JsonObject): Promise<JsonObject> {
  const { title = "" } = (request["order"] ?? {}) as { title?: string };
  const [word, argument] = title.split(" ");
  if (word === "hold") await hold(context, argument);
  if (word === "fail") throw new CodedError(Number(argument));
  return { name: `${request["parent"]}/orders/o1`, title, amount: 3, price: "9007199254740993" };
}

/** A model of the API `automl`; the name `hold GATE` holds it. */
async function model(
  context: Signalled & { progress(percent: number, message?: string): void },
  request: JsonObject,
): Promise<JsonObject> {
  const { displayName = "" } = (request["model"] ?? {}) as { displayName?: string };
  const [word, argument] = displayName.split(" ");
  if (word === "hold") {
    context.progress(40, "epoch 4 of 10");
    await hold(context, argument);
  }
  return { name: `${request["parent"]}/models/m1`, displayName };
}

export const operations: readonly OperationDefinition[] = [
  defineOperation({ type: "suite.echo" }, async (_context, input) => input),
  defineOperation({ type: "suite.empty" }, async () => undefined),
  defineOperation({ type: "suite.hold" }, (context, input) => hold(context, input["gate"])),
  defineOperation({ type: "suite.stubborn" }, async (_context, input) => {
    await gate(input["gate"]).promise;
    return { ended: true };
  }),
  defineOperation({ type: "suite.fail" }, async (_context, input) => {
    throw new CodedError(Number(input["code"]));
  }),
  defineOperation({ type: "suite.fixed", cancellable: false }, (context, input) =>
    hold(context, input["gate"]),
  ),
  defineOperation({ type: "suite.keep", onDelete: "refuse" }, (context, input) =>
    hold(context, input["gate"]),
  ),
  defineOperation({ type: "suite.brief", retentionMs: 1000 }, (context, input) =>
    input["gate"] === undefined ? Promise.resolve({}) : hold(context, input["gate"]),
  ),
  defineOperation({ type: "suite.progress" }, async (context, input) => {
    context.progress(25, "a quarter");
    await context.checkpoint({ pages: 1 });
    return hold(context, input["gate"]);
  }),
  defineOperation({ type: "suite.open" }, async (_context, input) => {
    gate(input["gate"]).resolve();
    return undefined;
  }),
  defineOperation({ type: "vault.count-artifacts" }, async () => ({ totalCount: "9007199254740993" })),
  defineOperation({ type: "automl.create-model" }, model),
  defineOperation({ type: "automl.delete-model" }, async () => undefined),
  defineOperation({ type: "yandex.recognize" }, async (_context, { content }) => ({
    textAnnotation: { fullText: Buffer.from(String(content), "base64").toString() },
  })),
  defineOperation({ type: "shop.create-order" }, order),
  defineOperation({ type: "shop.delete-order" }, async () => undefined),
  defineOperation({ type: "disk.resize" }, async (_context, { diskId, size }) => ({
    id: String(diskId),
    size: String(size),
  })),
];
