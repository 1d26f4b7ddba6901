// Engine, server and worker over an open store, started in the one right order. Loaded while the store opens.
import { join } from "node:path";
import type { Logger } from "../base/logger.ts";
import { Engine } from "../engine/engine.ts";
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
import type { TlsOptions } from "../server/tls/tls-options.ts";
import { createPayloadCodec } from "../services/declared/payload-codec.ts";
import type { ServiceDeclaration } from "../services/service-declaration.ts";
import { createInProcessConnection } from "../services/worker/in-process-connection.ts";
import type { OperationDefinition } from "../worker/define-operation.ts";
import { policyOf } from "../worker/operation-policy.ts";
import { createWorker, reapProcesses, type Worker } from "../worker/worker.ts";
import { CliError } from "./exit-codes.ts";

export interface PartsOptions {
  store: Store;
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

/** A server that answers. Disposing it stops worker, server and engine, in this order; the store stays open. */
export interface ServerParts extends AsyncDisposable {
  address: ServerAddress;
  worker: Worker;
}

/** How long calls in flight may take to be answered when the server stops. */
const CALLS_GRACE_MS = 5_000;

/** Starts the parts. Throws a CliError when the address cannot be had. */
export async function startParts(options: PartsOptions): Promise<ServerParts> {
  const { store, operations, services, auth, tls, limits, logger, host, port, data } = options;
  await using stack = new AsyncDisposableStack();
  const engine = stack.adopt(new Engine({ store, logger }), (made) => made.close());
  for (const operation of operations) {
    engine.registerType(operation.type, policyOf(operation), operation.check);
  }

  // Before anything is concluded from the end of a former life, what it left running is ended.
  const processFolder = join(data, "processes");
  const remaining = await reapProcesses(processFolder);
  await engine.settleFormerSessions(remaining.map(({ operation }) => operation));

  const own = { folder: join(data, "identity"), logger };
  const identity = auth ? await createIdentity(auth, own) : openIdentity(own);
  const server = createServer({
    ...{ engine, logger, host, port, services, limits, identity },
    ...(tls && { tls }),
  });
  const address = await listen(server, options);
  stack.defer(() => server.close({ graceMs: CALLS_GRACE_MS }));
  const worker = stack.use(
    createWorker({
      connection: createInProcessConnection(engine, createPayloadCodec(services)),
      operations,
      processFolder,
      logger,
      ...(options.slots !== undefined && { slots: options.slots }),
    }),
  );
  await worker.start();
  engine.startMaintenance();
  const started = stack.move();
  return { address, worker, [Symbol.asyncDispose]: () => started.disposeAsync() };
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
