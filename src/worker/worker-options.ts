// What createWorker takes: checked, with the defaults filled in.
import { availableParallelism, hostname } from "node:os";
import { createLogger, type Logger } from "../base/logger.ts";
import type { DeclaredPolicy } from "../base/policy-limits.ts";
import type { RequestMessage, WorkerConnection } from "../protocol/worker-connection.ts";
import type { OperationDefinition } from "./define-operation.ts";
import { policyOf } from "./operation-policy.ts";
import { defaultProcessFolder } from "./process-folder.ts";

/** A server with what it takes to reach it. */
export interface ServerOptions {
  address: string;
  token?: string | (() => string);
}

/** Exactly one of `server` and `connection` is given. */
export interface WorkerOptions {
  /** The address of a Belay server: `host:port`, `http://host:port` or `https://host:port`. */
  server?: string | ServerOptions;
  /** How to reach a server otherwise; one in the same process has its own. */
  connection?: WorkerConnection;
  /** The worker's credential for `server`, or what reads it anew for each connection. */
  token?: string | (() => string);
  /** How long the session's lease should be: 1 s to 10 min. Default: the server's, 15 s. Only with `server`. */
  leaseMs?: number;
  /** What it runs, as defineOperation and defineMethod answer it; each type once. */
  handlers: readonly OperationDefinition[];
  /** How many operations it runs at once. Default: 10 for each core. */
  slots?: number;
  /** Its own name, for people. Default: the host's name. */
  name?: string;
  /** Its own build, for instance a commit, for people. Default: none. */
  build?: string;
  /**
   * False: no watchdog ends this process when its work outlives the lease of a `server`. A cancel of an attempt whose
   * lease is lost then ends unconfirmed, since nobody knows whether the work has stopped. Default true.
   */
  guarded?: boolean;
  /**
   * Where the records of running commands are kept; made if it is not there. Workers may share it. Default: a folder of
   * this user and worker name below the system's temporary folder.
   */
  processFolder?: string;
  /** Default: JSON lines on standard error, from level `info` on. */
  logger?: Logger;
}

/** The options as the worker uses them. */
export interface ResolvedOptions {
  connect(logger: Logger): Promise<WorkerConnection>;
  definitions: ReadonlyMap<string, OperationDefinition>;
  policies: Readonly<Record<string, DeclaredPolicy>>;
  messages: Readonly<Record<string, RequestMessage>>;
  slots: number;
  name: string;
  build: string;
  guarded: boolean;
  /** Made when the worker starts. */
  readonly processFolder: string;
  logger: Logger;
}

/** Throws a TypeError that names what is wrong. */
export function resolveOptions(options: WorkerOptions): ResolvedOptions {
  const { handlers, slots = 10 * availableParallelism(), name = hostname(), build = "" } = options;
  if (!Number.isInteger(slots) || slots < 1) throw new TypeError(`slots ${slots} is below 1`);
  const definitions = new Map<string, OperationDefinition>();
  const policies: Record<string, DeclaredPolicy> = {};
  const messages: Record<string, RequestMessage> = {};
  for (const definition of handlers) {
    const { type } = definition;
    policies[type] = policyOf(definition);
    if (definition.kind === "inline" && definition.requestMessage) messages[type] = definition.requestMessage;
    if (definitions.has(type)) throw new TypeError(`operation type ${type} is declared twice`);
    if (definition.kind === "process" && process.platform === "win32") {
      throw new TypeError(
        `operation type ${type}: commands need process groups, which ${process.platform} has not`,
      );
    }
    definitions.set(type, definition);
  }
  return {
    ...{ connect: connectorOf(options), definitions, policies, messages, slots, name, build },
    guarded: options.guarded ?? true,
    get processFolder() {
      return options.processFolder ?? defaultProcessFolder(name);
    },
    logger: options.logger ?? createLogger("info"),
  };
}

function connectorOf(options: WorkerOptions): (logger: Logger) => Promise<WorkerConnection> {
  const { connection, server, leaseMs } = options;
  const address = typeof server === "object" ? server.address : (server ?? "");
  const token = options.token ?? (typeof server === "object" ? server.token : undefined);
  if ((connection === undefined) === (server === undefined)) {
    throw new TypeError("a worker takes exactly one of server and connection");
  }
  if (connection) return async () => connection;
  return async (logger) => {
    // gRPC is loaded only by a worker that needs it.
    const { createRemoteConnection } = await import("./remote-connection.ts");
    return createRemoteConnection({
      ...{ server: address, logger },
      ...(token !== undefined && { token }),
      ...(leaseMs !== undefined && { leaseMs }),
    });
  };
}
