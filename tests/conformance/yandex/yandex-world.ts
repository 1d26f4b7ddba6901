// The world that the yandex conformance tests look at: a whole server with declared services of that dialect, and
// handlers whose end the test decides. Operations are started past the wire; everything else goes over it.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, type Metadata } from "@grpc/grpc-js";
import {
  type Operation,
  OperationSchema,
} from "../../../src/protocol/gen/yandex/cloud/operation/operation_pb.ts";
import { GetOperationRequestSchema } from "../../../src/protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import { structPayload } from "../../../src/protocol/struct.ts";
import { defineService } from "../../../src/services/define-service.ts";
import type { ServiceDeclaration } from "../../../src/services/service-declaration.ts";
import { startTestServer, type TestServer } from "../../../src/testing/test-server.ts";
import { defineOperation, type JsonObject, type OperationDefinition } from "../../../src/worker/worker.ts";
import { callGrpc } from "../lro/lro-client.ts";
import { type RawResponse, rawRequest } from "../lro/raw-http.ts";

/** Every declared service has a host `{id}.test`. */
export const services: readonly ServiceDeclaration[] = [
  yandexService("ocr", { pollIntervalSeconds: 3, uncancellableTypes: ["test.sealed"] }),
  // Object Storage cancels nothing; here GET is switched off, too.
  yandexService("storage", { cancellable: false }),
  yandexService("strict", { getCancels: false }),
];

function yandexService(id: string, settings: Partial<ServiceDeclaration>): ServiceDeclaration {
  const hosts = [`${id}.test`];
  return defineService({ ...settings, id, dialect: "yandex", hosts, idPrefix: id.slice(0, 3) });
}

export interface YandexWorld extends TestServer {
  /** A gRPC client whose `:authority` names a service. */
  grpc(service: string): Client;
  /** An HTTP/1.1 request with the service's name in Host. */
  rest(service: string, method: string, path: string, options?: RestOptions): Promise<RawResponse>;
  /** Starts an operation past the wire; answers its id. */
  start(service: string, type: string, options?: StartOptions): Promise<string>;
  /** Starts one and waits until its handler runs. */
  startRunning(service: string, type?: string): Promise<string>;
  /** Starts one and waits until it is done. */
  startDone(service: string, type?: string, options?: StartOptions): Promise<string>;
  waitDone(service: string, id: string): Promise<void>;
  /** Lets the handler of a `test.hold` or `test.stubborn` operation return `{ "ended": true }`. */
  finish(id: string): void;
}

export interface RestOptions {
  body?: string;
  headers?: Record<string, string>;
}

export interface StartOptions {
  payload?: JsonObject;
  description?: string;
  tenant?: string;
}

/** An error with a google.rpc code. */
class CodedError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** Types: echo, empty, hold (until the test says so, or its abort), stubborn (ignores the abort), fail, fixed, sealed. */
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
      throw new CodedError(Number(code), "the work failed");
    }),
    defineOperation({ type: "test.fixed", cancellable: false }, hold),
    defineOperation({ type: "test.sealed" }, hold),
  ];
}

/** Starts the world; close it, or declare it with `await using`. */
export async function startYandexWorld(): Promise<YandexWorld> {
  const gates = new Map<string, () => void>();
  const server = await startTestServer({ operations: handlers(gates), services });
  const { engine, address, port } = server;
  const clients = new Map<string, Client>();
  const nameOf = (id: string): string => `operations/${id}`;
  const key = (service: string, id: string): { service: string; tenant: string; name: string } => ({
    service,
    tenant: "default",
    name: nameOf(id),
  });
  const start: YandexWorld["start"] = async (service, type, options = {}) => {
    const { payload = {}, description = "", tenant = "default" } = options;
    const { operation } = await engine.start({
      service,
      tenant,
      idPrefix: service.slice(0, 3),
      parent: "",
      type,
      createdBy: "user:ada",
      origin: "test",
      description,
      labels: {},
      request: structPayload(payload),
      metadata: null,
      requestId: "",
      requestDigest: "",
      method: "test",
      deadline: null,
    });
    return operation.record.id;
  };
  const waitDone: YandexWorld["waitDone"] = async (service, id) => {
    await engine.wait(key(service, id), { timeoutMs: 10_000, onCallerGone: () => {} });
  };
  return {
    ...server,
    grpc(service) {
      let client = clients.get(service);
      if (!client) {
        const options = { "grpc.default_authority": `${service}.test` };
        client = new Client(address, credentials.createInsecure(), options);
        clients.set(service, client);
      }
      return client;
    },
    rest: (service, method, path, { body, headers = {} } = {}) =>
      rawRequest(port, method, path, { body, headers: { host: `${service}.test`, ...headers } }),
    start,
    waitDone,
    async startRunning(service, type = "test.hold") {
      const id = await start(service, type);
      while (!gates.has(nameOf(id))) await new Promise((resolve) => setImmediate(resolve));
      return id;
    },
    async startDone(service, type = "test.echo", options = {}) {
      const id = await start(service, type, options);
      await waitDone(service, id);
      return id;
    },
    finish: (id) => gates.get(nameOf(id))?.(),
    async [Symbol.asyncDispose]() {
      for (const client of clients.values()) client.close();
      await server.close();
    },
  };
}

export const SERVICE = "/yandex.cloud.operation.OperationService";

/** A call of Get or Cancel over gRPC. Both requests have the one field. */
export async function callOperation(
  client: Client,
  method: "Get" | "Cancel",
  operationId: string,
): Promise<{ operation: Operation; trailers: Metadata }> {
  const request = create(GetOperationRequestSchema, { operationId });
  const { bytes, trailers } = await callGrpc(
    client,
    `${SERVICE}/${method}`,
    toBinary(GetOperationRequestSchema, request),
  );
  return { operation: fromBinary(OperationSchema, bytes), trailers };
}

/** An operation as REST shows it. */
export interface JsonOperation {
  id: string;
  description?: string;
  createdAt: string;
  createdBy: string;
  modifiedAt: string;
  done: boolean;
  metadata?: { "@type": string };
  error?: { code: number; message: string; details?: unknown };
  response?: { "@type": string; value?: unknown };
}

/** The operation of a good REST answer. */
export function operationOf({ status, text }: RawResponse): JsonOperation {
  if (status !== 200) throw new Error(`${status} ${text}`);
  return JSON.parse(text) as JsonOperation;
}
