// The world that the conformance tests look at: a whole server, with handlers whose end the test decides.
import { Client, credentials } from "@grpc/grpc-js";
import { StatusCode } from "../../../src/base/status-code.ts";
import type { OperationKey, Payload } from "../../../src/engine/operation.ts";
import { structPayload } from "../../../src/protocol/struct.ts";
import {
  startTestServer,
  type TestServer,
  type TestServerOptions,
} from "../../../src/testing/test-server.ts";
import { defineOperation, type JsonObject, type OperationDefinition } from "../../../src/worker/worker.ts";

/** A handler's error that becomes the operation's with its code. */
class CodedError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export interface LroWorld extends TestServer {
  readonly grpc: Client;
  /** Starts an operation past the wire; answers its name. */
  start(type: string, payload?: JsonObject, parent?: string): Promise<string>;
  /** Starts one and waits until a handler runs it. */
  startRunning(type?: string): Promise<string>;
  /** Starts one and waits until it is done. */
  startDone(type?: string, payload?: JsonObject): Promise<string>;
  /** Lets the handler of a `test.hold` operation return `{ "ended": true }`. */
  finish(name: string): void;
  key(name: string): OperationKey;
  /** An operation that ended with this very response, whatever its type. */
  insertDone(response: Payload): Promise<string>;
}

/** Types: echo, empty, hold (until the test says so, or its abort), stubborn (ignores the abort), fail, fixed, keep, parked. */
function handlers(gates: Map<string, () => void>): OperationDefinition[] {
  const hold = (context: { name: string; signal: AbortSignal }): Promise<JsonObject> => {
    const { promise, resolve, reject } = Promise.withResolvers<JsonObject>();
    gates.set(context.name, () => resolve({ ended: true }));
    context.signal.addEventListener("abort", () => reject(context.signal.reason));
    return promise;
  };
  const stubborn = (context: { name: string }): Promise<JsonObject> => {
    const { promise, resolve } = Promise.withResolvers<JsonObject>();
    gates.set(context.name, () => resolve({ ended: true }));
    return promise;
  };
  return [
    defineOperation({ type: "test.echo" }, async (_context, input) => input),
    defineOperation({ type: "test.empty" }, async () => undefined),
    defineOperation({ type: "test.hold" }, hold),
    defineOperation({ type: "test.stubborn" }, stubborn),
    defineOperation({ type: "test.fail" }, async (_context, { code }) => {
      throw new CodedError(Number(code ?? StatusCode.UNKNOWN), "the work failed");
    }),
    defineOperation({ type: "test.fixed", cancellable: false }, hold),
    defineOperation({ type: "test.keep", onDelete: "refuse" }, hold),
  ];
}

/** Starts the world; close it, or declare it with `await using`. */
export async function startWorld(options: TestServerOptions = {}): Promise<LroWorld> {
  const gates = new Map<string, () => void>();
  const parked = [defineOperation({ type: "test.parked" }, async () => undefined)];
  const server = await startTestServer({ operations: handlers(gates), parked, ...options });
  const { engine } = server;
  const grpc = new Client(server.address, credentials.createInsecure());
  const key = (name: string): OperationKey => ({ service: "default", tenant: "default", name });
  const start = async (type: string, payload: JsonObject = {}, parent = ""): Promise<string> => {
    const { operation } = await engine.start({
      service: "default",
      tenant: "default",
      idPrefix: "opr",
      parent,
      type,
      createdBy: "anonymous",
      origin: "test",
      description: "",
      labels: {},
      request: structPayload(payload),
      metadata: null,
      requestId: "",
      requestDigest: "",
      method: "test",
      deadline: null,
    });
    return operation.record.name;
  };
  return {
    ...server,
    grpc,
    key,
    start,
    async startRunning(type = "test.hold") {
      const name = await start(type);
      while (!gates.has(name)) await new Promise((resolve) => setImmediate(resolve));
      return name;
    },
    async startDone(type = "test.echo", payload = {}) {
      const name = await start(type, payload);
      await engine.wait(key(name), { timeoutMs: 10_000, onCallerGone: () => {} });
      return name;
    },
    finish: (name) => gates.get(name)?.(),
    insertDone: (response) => insertDone(server, start, key, response),
    async [Symbol.asyncDispose]() {
      grpc.close();
      await server.close();
    },
  };
}

/** A session of a worker that answers what no handler of ours could. */
async function insertDone(
  { engine }: TestServer,
  start: (type: string) => Promise<string>,
  key: (name: string) => OperationKey,
  response: Payload,
): Promise<string> {
  const name = await start("test.parked");
  const { promise, resolve } = Promise.withResolvers<number>();
  const hello = {
    kind: "embedded",
    worker: "w",
    slots: 1,
    guarded: true,
    bootId: "",
    build: "",
    principal: "",
    leaseMs: 0,
  } as const;
  const session = await engine.openSession(
    { ...hello, types: ["test.parked"] },
    {
      reserves: false,
      granted: ({ record }) => {
        if (record.name === name) resolve(record.leaseToken);
      },
      cancelRequested: () => {},
      revoked: () => {},
      drain: () => {},
      ended: () => {},
    },
  );
  const token = await promise;
  await session.report({
    type: "complete",
    key: key(name),
    session: session.id,
    token,
    response,
    digest: "d",
  });
  await engine.closeSession(session.id);
  return name;
}
