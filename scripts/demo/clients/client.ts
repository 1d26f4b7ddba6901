// A client of one of the systems, as the tour drives it: it starts an operation, cancels it and reads it, each in its own
// way.

/** One call that a client made. */
export interface Call {
  /** The call in the client's own words: `vault.matters.count`, `curl -X POST https://...`. */
  did: string;
  /** What came back, in a few words. */
  answer: string;
}

/** What every dialect says of an operation. */
export interface FinalOperation {
  done?: boolean;
  error?: { code: number; message: string };
}

export interface Client {
  /** For instance `googleapis 188.0.0`. */
  readonly name: string;
  /** Starts the operation; `operation` is its name (`operations/x`). */
  start(): Promise<Call & { operation: string }>;
  cancel(operation: string): Promise<Call>;
  get(operation: string): Promise<FinalOperation>;
  /** Ends what runs for it. */
  close(): void;
}
