// A worker of this process that serves a server elsewhere: what `belay work` and `belay exec` have in common.
import { readFileSync } from "node:fs";
import type { Logger } from "../base/logger.ts";
import type { OperationDefinition } from "../worker/define-operation.ts";
import { createWorker, type Worker } from "../worker/worker.ts";
import { CliError, exitCodes } from "./exit-codes.ts";

export interface RemoteWorkerOptions {
  server: string;
  handlers: readonly OperationDefinition[];
  slots: number | undefined;
  /** Its own name; undefined takes the host's. */
  name: string | undefined;
  leaseMs: number | undefined;
  /** A file with the worker's token, read again for every connection; undefined takes the environment's. */
  tokenFile: string | undefined;
  logger: Logger;
}

/** Makes the worker; `start()` connects it. Throws a CliError for a definition that is wrong. */
export function remoteWorker(options: RemoteWorkerOptions): Worker {
  const { server, handlers, slots, name, leaseMs, tokenFile, logger } = options;
  const token = workerToken(tokenFile);
  try {
    return createWorker({
      ...{ server, handlers, logger },
      ...(token && { token }),
      ...(slots !== undefined && { slots }),
      ...(name !== undefined && { name }),
      ...(leaseMs !== undefined && { leaseMs }),
    });
  } catch (error) {
    if (error instanceof TypeError) throw new CliError(error.message, exitCodes.CONFIG);
    throw error;
  }
}

/** BELAY_WORKER_TOKEN, or BELAY_TOKEN where one token may do both. Never from the command line, which everybody can read. */
function workerToken(tokenFile: string | undefined): (() => string) | undefined {
  if (tokenFile !== undefined) {
    const read = (): string => readFileSync(tokenFile, "utf8").trim();
    try {
      read();
    } catch (error) {
      throw new CliError(`cannot read the token: ${error instanceof Error ? error.message : error}`);
    }
    return read;
  }
  const { BELAY_WORKER_TOKEN, BELAY_TOKEN } = process.env;
  const token = BELAY_WORKER_TOKEN || BELAY_TOKEN;
  return token ? () => token : undefined;
}
