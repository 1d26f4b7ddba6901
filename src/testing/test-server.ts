// A whole server for tests: SQLite in a temporary folder, the engine, a worker in this process, and both protocols on
// a free port. Nothing of it is a stand-in.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger, type LogLevel } from "../base/logger.ts";
import { Engine } from "../engine/engine.ts";
import { openReceiptKeys } from "../engine/receipts/receipt-keys.ts";
import type { AuthConfig } from "../server/auth/auth-config.ts";
import {
  type BelayServer,
  createIdentity,
  createServer,
  openIdentity,
  type ServerLimits,
} from "../server/server.ts";
import { startRulesOf } from "../server/service-catalog.ts";
import type { TlsOptions } from "../server/tls/tls-options.ts";
import { defaultService } from "../services/builtin/default.ts";
import { createPayloadCodec } from "../services/declared/payload-codec.ts";
import type { ServiceDeclaration } from "../services/service-declaration.ts";
import { createInProcessConnection } from "../services/worker/in-process-connection.ts";
import { SqliteStore } from "../stores/sqlite/sqlite-store.ts";
import { createWorker, type OperationDefinition, policyOf, type Worker } from "../worker/worker.ts";

export interface TestServerOptions {
  /** What the worker runs. */
  operations?: readonly OperationDefinition[];
  /** How many operations run at once; default 64. */
  slots?: number;
  /** Types that are known and that nobody runs: their operations stay pending. */
  parked?: readonly OperationDefinition[];
  limits?: Partial<ServerLimits>;
  auth?: AuthConfig;
  tls?: TlsOptions;
  /** As ServerOptions.checkStore. */
  checkStore?: () => Promise<unknown>;
  /** Default: the service `default` alone. */
  services?: readonly ServiceDeclaration[];
  /** Default "silent". */
  logLevel?: LogLevel;
}

/** A running server. */
export interface TestServer extends AsyncDisposable {
  readonly port: number;
  /** For instance `127.0.0.1:43210`. */
  readonly address: string;
  /** For instance `http://127.0.0.1:43210`. */
  readonly url: string;
  /** The extra ports of services, by service id. */
  readonly servicePorts: Readonly<Record<string, readonly number[]>>;
  readonly engine: Engine;
  readonly store: SqliteStore;
  readonly server: BelayServer;
  readonly worker: Worker;
  /** Stops everything and removes the folder. Calls in flight get `graceMs`, default 1 s. */
  close(options?: { graceMs?: number }): Promise<void>;
}

const GRACE_MS = 1000;
const SLOTS = 64;

/** Starts a server; close it, or declare it with `await using`. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const {
    operations = [],
    parked = [],
    slots = SLOTS,
    limits = {},
    logLevel = "silent",
    services,
    auth,
  } = options;
  const folder = mkdtempSync(join(tmpdir(), "belay-test-"));
  const logger = createLogger(logLevel);
  const store = await SqliteStore.open(join(folder, "data"), { onFatal: (line) => logger.fatal(line) });
  const receiptKeys = openReceiptKeys(join(folder, "receipts"));
  const engine = new Engine({ store, logger, receiptKeys });
  for (const definition of [...operations, ...parked])
    engine.registerType(definition.type, policyOf(definition), definition.check);
  engine.startMaintenance();
  const declarations = services ?? [defaultService];
  const rulesOf = startRulesOf(engine, declarations);
  const rules = new Map(declarations.map((declaration) => [declaration.id, rulesOf(declaration)]));
  const worker = createWorker({
    connection: createInProcessConnection(engine, createPayloadCodec(services ?? []), (id) => rules.get(id)),
    handlers: operations,
    slots,
    name: "test",
    processFolder: join(folder, "processes"),
    logger,
  });
  await worker.start();
  const own = { folder: join(folder, "identity"), logger };
  const server = createServer({
    ...{ engine, logger, host: "127.0.0.1", port: 0, limits },
    identity: auth ? await createIdentity(auth, own) : openIdentity(own),
    ...(services && { services }),
    ...(options.tls && { tls: options.tls }),
    ...(options.checkStore && { checkStore: options.checkStore }),
  });
  const { port, servicePorts } = await server.listen();
  let closing: Promise<void> | undefined;
  const close = async ({ graceMs = GRACE_MS }: { graceMs?: number } = {}): Promise<void> => {
    await server.close({ graceMs });
    await worker.close();
    await engine.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  };
  const closeOnce = (closeOptions?: { graceMs?: number }): Promise<void> => {
    closing ??= close(closeOptions);
    return closing;
  };
  const address = `127.0.0.1:${port}`;
  return {
    port,
    address,
    url: `http://${address}`,
    servicePorts,
    engine,
    store,
    server,
    worker,
    close: closeOnce,
    [Symbol.asyncDispose]: () => closeOnce(),
  };
}
