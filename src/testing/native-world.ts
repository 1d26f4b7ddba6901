// A server for tests of belay.v1: handlers whose end the test decides, the server's own operations, and REST by fetch.
import { createLogger } from "../base/logger.ts";
import type { OperationKey } from "../engine/operation.ts";
import type { JsonObject } from "../protocol/worker-connection.ts";
import { startSystemWorker } from "../services/native/cancel-operations/system-worker.ts";
import type { ChildOptions } from "../worker/define-operation.ts";
import { defineOperation, type OperationDefinition } from "../worker/worker.ts";
import { eventually } from "./eventually.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "./test-server.ts";

/** An answer of the REST surface. */
export interface RestAnswer {
  status: number;
  /** The body, or `{}` for none. */
  body: JsonObject;
}

export interface NativeWorld extends TestServer {
  /** A call; the path comes after `/belay/v1/`. A body makes it a POST. */
  rest(
    path: string,
    body?: JsonObject | null,
    options?: { method?: string; headers?: Record<string, string> },
  ): Promise<RestAnswer>;
  /** As `rest`; throws for an answer that is an error. */
  ok(path: string, body?: JsonObject | null, options?: { method?: string }): Promise<JsonObject>;
  /** Starts one; answers its name. */
  start(type: string, fields?: JsonObject): Promise<string>;
  /** Starts one, and waits until its handler runs. */
  startRunning(type?: string, fields?: JsonObject): Promise<string>;
  /** Lets the handler of a `test.hold` or `test.stubborn` operation return. */
  finish(name: string): void;
  key(name: string): OperationKey;
}

/**
 * Handlers: hold (until the test says so, or its abort), stubborn (ignores the abort), critical (holds it back), parent (starts
 * the children of its input, then holds), fixed (not cancellable), echo, fail.
 */
function handlers(gates: Map<string, () => void>): OperationDefinition[] {
  const hold = (context: { name: string; signal: AbortSignal }): Promise<JsonObject> => {
    const { promise, resolve, reject } = Promise.withResolvers<JsonObject>();
    gates.set(context.name, () => resolve({ ended: true }));
    context.signal.addEventListener("abort", () => reject(context.signal.reason));
    return promise;
  };
  const stubborn = ({ name }: { name: string }): Promise<JsonObject> => {
    const { promise, resolve } = Promise.withResolvers<JsonObject>();
    gates.set(name, () => resolve({ ended: true }));
    return promise;
  };
  return [
    defineOperation({ type: "test.echo" }, async (_context, input) => input),
    defineOperation({ type: "test.hold" }, hold),
    defineOperation({ type: "test.stubborn", graceMs: 0, killMs: 100 }, stubborn),
    defineOperation({ type: "test.fixed", cancellable: false }, hold),
    defineOperation({ type: "test.critical", criticalMs: 60_000 }, (context) =>
      context.critical("the books are open", () => stubborn(context)),
    ),
    defineOperation({ type: "test.parent" }, async (context, { children }) => {
      for (const { type, ...options } of (children ?? []) as (JsonObject & { type: string })[]) {
        await context.start(type, options as ChildOptions);
      }
      return hold(context);
    }),
    defineOperation({ type: "test.fail" }, async () => {
      throw new Error("the work failed");
    }),
  ];
}

/** Starts the world; close it, or declare it with `await using`. `test.parked` has no worker. */
export async function startNativeWorld(options: TestServerOptions = {}): Promise<NativeWorld> {
  const gates = new Map<string, () => void>();
  const parked = [defineOperation({ type: "test.parked" }, async () => undefined)];
  const server = await startTestServer({ operations: handlers(gates), parked, ...options });
  const system = await startSystemWorker(server.engine, createLogger("silent"));
  const close = async (closeOptions?: { graceMs?: number }): Promise<void> => {
    await system[Symbol.asyncDispose]();
    await server.close(closeOptions);
  };
  const rest: NativeWorld["rest"] = async (path, body = null, { method, headers = {} } = {}) => {
    const response = await fetch(`${server.url}/belay/v1/${path}`, {
      method: method ?? (body === null ? "GET" : "POST"),
      headers: { ...headers, ...(body !== null && { "content-type": "application/json" }) },
      ...(body !== null && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? {} : JSON.parse(text) };
  };
  const ok: NativeWorld["ok"] = async (path, body, callOptions) => {
    const answer = await rest(path, body, callOptions);
    if (answer.status === 200) return answer.body;
    throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  };
  const start: NativeWorld["start"] = async (type, fields = {}) => {
    const { name } = await ok("operations", { type, ...fields });
    return String(name);
  };
  const startRunning: NativeWorld["startRunning"] = async (type = "test.hold", fields = {}) => {
    const name = await start(type, fields);
    await eventually(`the handler of ${name} runs`, () => gates.has(name));
    return name;
  };
  return {
    ...server,
    ...{ rest, ok, start, startRunning, close },
    finish: (name) => gates.get(name)?.(),
    key: (name) => ({ service: "default", tenant: "default", name }),
    [Symbol.asyncDispose]: () => close(),
  };
}
