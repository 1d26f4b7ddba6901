// Engine, server and worker over an open store, started in the one right order. Loaded while the store opens.
import { join } from "node:path";
import type { Logger } from "../base/logger.ts";
import { Engine } from "../engine/engine.ts";
import { openReceiptKeys, type ReceiptKeys } from "../engine/receipts/receipt-keys.ts";
import { openSharedReceiptKeys } from "../engine/receipts/shared-receipt-keys.ts";
import type { Store } from "../engine/store.ts";
import type { AuthConfig } from "../server/auth/auth-config.ts";
import {
  type BelayServer,
  createIdentity,
  createServer,
  openIdentity,
  type ServerAddress,
  type ServerLimits,
} from "../server/server.ts";
import { startRulesOf } from "../server/service-catalog.ts";
import type { TlsOptions } from "../server/tls/tls-options.ts";
import { createPayloadCodec } from "../services/declared/payload-codec.ts";
import { startSystemWorker } from "../services/native/cancel-operations/system-worker.ts";
import type { ServiceDeclaration } from "../services/service-declaration.ts";
import { createInProcessConnection } from "../services/worker/in-process-connection.ts";
import type { OperationDefinition } from "../worker/define-operation.ts";
import { policyOf } from "../worker/operation-policy.ts";
import { createWorker, readBootId, reapProcesses, type Worker } from "../worker/worker.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import type { SharedParts } from "./open-store.ts";
import { isStoreAway } from "./start-patience.ts";

export interface PartsOptions {
  store: Store;
  /** Where other servers use the store, too. */
  shared?: SharedParts | undefined;
  operations: readonly OperationDefinition[];
  services: readonly ServiceDeclaration[];
  /** Who may call; absent: anybody on this machine. */
  auth: AuthConfig | undefined;
  tls: TlsOptions | undefined;
  limits: Partial<ServerLimits>;
  logger: Logger;
  host: string;
  port: number;
  /** The data folder. */
  data: string;
  slots: number | undefined;
}

/** A server that answers. Disposing it stops workers, server and engine, in this order; the store stays open. */
export interface ServerParts extends AsyncDisposable {
  address: ServerAddress;
  /** Not ready from now on; everything is served as before. */
  announceStop(): void;
  /**
   * No new work: remote workers are told, and go on with theirs within their lease, for the next server or another one;
   * the work of this process may end for up to `graceMs`.
   */
  drain(graceMs: number): Promise<void>;
}

/** How long calls in flight may take to be answered when the server stops. */
const CALLS_GRACE_MS = 5_000;

/** Starts the parts. Throws a CliError when the address cannot be had. */
export async function startParts(options: PartsOptions): Promise<ServerParts> {
  const { store, shared, operations, services, auth, tls, limits, logger, host, port, data } = options;
  await using stack = new AsyncDisposableStack();
  const receiptKeys = await readReceiptKeys(join(data, "receipts"), shared);
  const node = shared && { node: shared.node };
  const engine = stack.adopt(new Engine({ store, logger, receiptKeys, ...node }), (made) => made.close());
  for (const operation of operations) {
    engine.registerType(operation.type, policyOf(operation), operation.check);
  }

  // Before anything is concluded from the end of a former life, what it left running is ended.
  const processFolder = join(data, "processes");
  const remaining = await reapProcesses(processFolder);
  const survivors = remaining.map(({ operation }) => operation);
  await engine.settleFormerSessions(survivors, readBootId());

  const own = { folder: join(data, "identity"), files: shared?.files, logger };
  const identity = auth ? await createIdentity(auth, own) : openIdentity(own);
  const server = createServer({
    ...{ engine, logger, host, port, services, limits, identity },
    ...(tls && { tls }),
    // Little to read, from a table of its own: where it is answered, the schema is there, too.
    checkStore: () => store.listTypes(),
  });
  const address = await listen(server, options);
  stack.defer(() => server.close({ graceMs: CALLS_GRACE_MS }));
  const rulesOf = startRulesOf(engine, services);
  const rules = new Map(services.map((service) => [service.id, rulesOf(service)]));
  const worker = stack.use(
    createWorker({
      connection: createInProcessConnection(engine, createPayloadCodec(services), (id) => rules.get(id)),
      handlers: operations,
      processFolder,
      logger,
      ...(options.slots !== undefined && { slots: options.slots }),
    }),
  );
  await worker.start();
  stack.use(await startSystemWorker(engine, logger));
  engine.startMaintenance();
  const started = stack.move();
  const drain = (graceMs: number): Promise<void> => drainWork(engine, worker, graceMs);
  const announceStop = (): void => server.announceStop();
  return { address, announceStop, drain, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

async function drainWork(engine: Engine, worker: Worker, graceMs: number): Promise<void> {
  engine.drain();
  await worker.drain(graceMs);
}

/** The keys that sign the chain of receipts; made when they are first needed. */
async function readReceiptKeys(folder: string, shared: SharedParts | undefined): Promise<ReceiptKeys> {
  try {
    return shared ? await openSharedReceiptKeys(shared.files, folder) : openReceiptKeys(folder);
  } catch (error) {
    if (isStoreAway(error)) throw error;
    throw new CliError(error instanceof Error ? error.message : String(error), exitCodes.STORAGE);
  }
}

async function listen(server: BelayServer, options: PartsOptions): Promise<ServerAddress> {
  const { host } = options;
  try {
    return await server.listen();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    const port = error instanceof Error && "port" in error ? error.port : options.port;
    if (code === "EADDRINUSE")
      throw new CliError(
        `port ${port} on ${host} is in use; --port takes another, --service-port another for a service`,
      );
    if (code === "EACCES") throw new CliError(`port ${port} on ${host} may not be used by this user`);
    if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
      throw new CliError(`host ${host} is not an address of this machine`);
    throw error;
  }
}
