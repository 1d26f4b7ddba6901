// A worker's connection to a server of another process, over gRPC (belay.v1.Workers). The protocol is told in
// docs/reference/worker-protocol.md.
import type { Logger } from "../base/logger.ts";
import type { WorkerConnection } from "../protocol/worker-connection.ts";
import { RemoteSession } from "./remote-connection-session.ts";

export interface RemoteConnectionOptions {
  /** `host:port`, `http://host:port` or `https://host:port`. */
  server: string;
  /** The worker's credential, or what reads it anew for each stream. Default: none is sent. */
  token?: string | (() => string);
  /** How long the session's lease should be: 1 s to 10 min. Default: the server's, 15 s. */
  leaseMs?: number;
  logger: Logger;
}

/**
 * Connects to a server. `open` rejects with a BelayError if the server cannot be reached or refuses the worker. Its session
 * outlives broken streams and restarts of the server, within its lease; once it is lost, open another one.
 */
export function createRemoteConnection(options: RemoteConnectionOptions): WorkerConnection {
  return {
    hasLease: true,
    async open(hello, listener) {
      const session = new RemoteSession(options, hello, listener);
      await session.open();
      return session;
    },
  };
}
