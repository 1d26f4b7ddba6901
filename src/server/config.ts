// The server's options with their defaults and limits, as plain data. docs/reference/config.md tells the same.
import { isIPv4 } from "node:net";

/** Every limit of the wire side. Bytes, milliseconds and counts, as the names say. */
export interface ServerLimits {
  /** Open sockets; above it new ones are closed at once. */
  connectionsMax: number;
  /** How long a fresh connection may stay silent before its protocol is known. */
  peekTimeoutMs: number;
  /** HTTP/1.1 request headers, and gRPC metadata. */
  headerBytesMax: number;
  /** A REST request body. */
  restBodyBytesMax: number;
  /** How long HTTP/1.1 request headers may take. */
  headersTimeoutMs: number;
  /** How long a whole HTTP/1.1 request may take to arrive. It does not bound the answer: `:wait` may take longer. */
  requestTimeoutMs: number;
  /** How long an idle HTTP/1.1 connection is kept. */
  keepAliveTimeoutMs: number;
  /** A gRPC request message. */
  grpcMessageBytesMax: number;
  /** Calls in flight on one gRPC connection. */
  grpcStreamsMax: number;
  /** Memory that one HTTP/2 session may take, in MB. */
  grpcSessionMemoryMb: number;
  /** A gRPC connection is pinged this often, and closed when the ping is not answered in the timeout. */
  grpcKeepaliveMs: number;
  grpcKeepaliveTimeoutMs: number;
  /** Waits and watches on one gRPC connection; the rest of grpcStreamsMax stays free, so that a Cancel always gets through. */
  waitsPerConnectionMax: number;
  /**
   * Calls that were admitted and are not answered: gets, lists and starts. Held waits and streams are not among them, nor
   * what is never refused (overload/shed-order.ts).
   */
  callsInFlightMax: number;
  /** The same, of one tenant. */
  callsPerTenantMax: number;
  /** ListOperations calls in flight. */
  listsInFlightMax: number;
  /** Commands that wait to be committed, workers' reports among them, before starts are refused. */
  commitsWaitingMax: number;
  /** How late the event loop may stand before calls are refused. */
  loopDelayMaxMs: number;
  /** After this long, a tenth more or less, a connection's client is told to open another one; 0 is never. */
  connectionAgeMaxMs: number;
  /** How long the calls of such a gRPC connection may still take. Longer than any wait is held, so that none is cut. */
  connectionAgeGraceMs: number;
}

export const defaultLimits: ServerLimits = {
  connectionsMax: 20_000,
  peekTimeoutMs: 10_000,
  headerBytesMax: 16_384,
  restBodyBytesMax: 1_048_576,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 65_000,
  grpcMessageBytesMax: 4_194_304,
  grpcStreamsMax: 1_000,
  grpcSessionMemoryMb: 64,
  grpcKeepaliveMs: 60_000,
  grpcKeepaliveTimeoutMs: 20_000,
  waitsPerConnectionMax: 900,
  callsInFlightMax: 2_000,
  callsPerTenantMax: 1_000,
  listsInFlightMax: 64,
  // About a second of commits: whole lives were committed at 4,600 commands/s on PostgreSQL, the slower store
  // (docs/internals/postgres.md). Calls alone reach half of it: their own caps come first. The rest is workers' reports.
  commitsWaitingMax: 4_000,
  loopDelayMaxMs: 1_000,
  connectionAgeMaxMs: 0,
  connectionAgeGraceMs: 660_000,
};

/** Where the server listens. */
export interface ListenOptions {
  /** Default 127.0.0.1. Without configured identity only loopback addresses are taken. */
  host: string;
  /** Default 8080; 0 takes any free port. */
  port: number;
}

export const defaultListen: ListenOptions = { host: "127.0.0.1", port: 8080 };

/** True for `localhost`, 127.0.0.0/8 and ::1, with or without brackets. */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase();
  return (
    name === "localhost" || name === "::1" || name === "[::1]" || (isIPv4(name) && name.startsWith("127."))
  );
}
