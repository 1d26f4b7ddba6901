// What the harness asks of a job system, in the driver's process and in the workers'. Each adapter says it in the words of
// its peer, and nothing else: no adapter batches, caches or waits for what its peer would not do by itself.

/** Where the peer keeps its work, and which of its settings are used. */
export interface PeerContext {
  /** A connection URL of a fresh database, or the folder of a fresh file. */
  url: string;
  isTuned: boolean;
  /** For subjects that are one adapter in several shapes. */
  shape: string;
}

/** The two operations of the harness, run in a worker's process. */
export interface PeerHandlers {
  /** Does nothing, but says that it ran. */
  noop(id: string): void;
  /** Runs until its signal aborts, or until the harness has seen enough. */
  hold(id: string, signal: AbortSignal | undefined): Promise<void>;
}

export type OperationKind = "noop" | "hold";

/** A peer, open in one process. The driver's process never calls `work`; a worker's calls nothing else. */
export interface Peer {
  /** Starts one; resolves with its id once the peer says that it is durable. */
  start(kind: OperationKind): Promise<string>;
  /** Starts many no-ops in the way that the peer has for it. */
  fill(count: number): Promise<void>;
  /** How many the store holds that have not ended. */
  remaining(): Promise<number>;
  /** Asks the peer to stop one that runs; answers what the call said. */
  cancel(id: string): Promise<string>;
  /** What the store says of one. */
  state(id: string): Promise<string>;
  /** Runs handlers from now on; resolves when the peer says that it has begun. */
  work(handlers: PeerHandlers): Promise<void>;
  /** From a start to its end as told by the peer's own API; absent where the workers tell the harness instead. */
  live?(): Promise<void>;
  close(): Promise<void>;
}

export interface PeerAdapter {
  /** Once for each fresh database, before any process opens it. */
  prepare(context: PeerContext): Promise<void>;
  open(context: PeerContext): Promise<Peer>;
}
