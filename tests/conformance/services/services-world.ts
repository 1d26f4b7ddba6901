// The world of the tests of declared services: the built-in ones, two with a port of their own, and four that cancel nothing or
// not everything; without identity, so that every caller is anonymous on this machine.
import { structPayload } from "../../../src/protocol/struct.ts";
import { automlService } from "../../../src/services/builtin/automl.ts";
import { daiService } from "../../../src/services/builtin/dai.ts";
import { defaultService } from "../../../src/services/builtin/default.ts";
import { vaultService } from "../../../src/services/builtin/vault.ts";
import { yandexService } from "../../../src/services/builtin/yandex.ts";
import { defineService } from "../../../src/services/define-service.ts";
import type { ServiceDeclaration } from "../../../src/services/service-declaration.ts";
import { startTestServer, type TestServer } from "../../../src/testing/test-server.ts";
import { defineOperation, type JsonObject } from "../../../src/worker/worker.ts";
import { WireClient } from "../wire/wire-client.ts";

const uncancellableTypes = ["test.sealed"];

export const services: readonly ServiceDeclaration[] = [
  defaultService,
  { ...vaultService, ports: [0] },
  daiService,
  automlService,
  { ...yandexService, ports: [0] },
  defineService({ id: "sealed", hosts: ["sealed.localhost"], cancellable: false }),
  defineService({ id: "partly", hosts: ["partly.localhost"], uncancellableTypes }),
  defineService({ id: "storage", dialect: "yandex", hosts: ["storage.localhost"], cancellable: false }),
  defineService({ id: "ypartly", dialect: "yandex", hosts: ["ypartly.localhost"], uncancellableTypes }),
];

export interface StartOptions {
  readonly type?: string;
  readonly parent?: string;
  readonly tenant?: string;
  readonly payload?: JsonObject;
}

export interface ServicesWorld extends TestServer {
  /** A client whose Host and `:authority` are `{service}.localhost`; `default`: those of the URL. */
  client(service: string): WireClient;
  /** A client with this Host and `:authority`, on the main port or on another. */
  named(authority: string | null, port?: number): WireClient;
  /** Starts an operation past the wire; answers its name. Those of the type test.parked stay pending. */
  start(service: string, options?: StartOptions): Promise<string>;
  startDone(service: string, options?: StartOptions): Promise<string>;
  /** The state, read past the wire. */
  stateOf(service: string, name: string): Promise<string>;
}

/** Starts the world; close it, or declare it with `await using`. */
export async function startServicesWorld(): Promise<ServicesWorld> {
  const hold = async (context: { signal: AbortSignal }): Promise<JsonObject> => {
    const { promise, reject } = Promise.withResolvers<JsonObject>();
    context.signal.throwIfAborted();
    context.signal.addEventListener("abort", () => reject(context.signal.reason));
    return promise;
  };
  const server = await startTestServer({
    services,
    operations: [
      defineOperation({ type: "test.echo" }, async (_context, input) => input),
      defineOperation({ type: "test.hold" }, hold),
      defineOperation({ type: "test.fixed", cancellable: false }, hold),
      defineOperation({ type: "test.fail" }, async () => {
        throw new Error("the work failed");
      }),
    ],
    parked: [
      defineOperation({ type: "test.parked" }, async () => undefined),
      defineOperation({ type: "test.sealed" }, async () => undefined),
      defineOperation({ type: "dai.ingest" }, async () => undefined),
    ],
  });
  const { engine } = server;
  const clients: WireClient[] = [];
  const named = (authority: string | null, port = server.port): WireClient => {
    const client = new WireClient({ url: `http://127.0.0.1:${port}`, authority });
    clients.push(client);
    return client;
  };
  const start: ServicesWorld["start"] = async (service, options = {}) => {
    const { type = "test.parked", parent = "", tenant = "default", payload = {} } = options;
    const { operation } = await engine.start({
      service,
      tenant,
      idPrefix: "opr",
      parent,
      type,
      createdBy: "user:ada",
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
    named,
    client: (service) => named(service === "default" ? null : `${service}.localhost`),
    start,
    async startDone(service, options = {}) {
      const name = await start(service, { type: "test.echo", ...options });
      const key = { service, tenant: options.tenant ?? "default", name };
      await engine.wait(key, { timeoutMs: 10_000, onCallerGone: () => {} });
      return name;
    },
    async stateOf(service, name) {
      return (await engine.get({ service, tenant: "default", name })).record.state;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.close();
      await server.close();
    },
  };
}
