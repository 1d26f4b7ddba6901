// Connections that have grown old: their clients are told to open others, so that after a rolling restart, or a new server
// behind the balancer, calls spread again by themselves. Off unless `connectionAgeMaxMs` is set.
import { constants, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Server } from "@grpc/grpc-js";
import { randomFraction } from "../base/random.ts";
import { startTimer } from "../base/timers.ts";

/** A tenth more or less: clients that came together do not leave together. */
const JITTER = 0.1;

/** Any stream that the client has begun so far is still served (RFC 9113, 6.8). */
const LAST_STREAM_ID = 2 ** 31 - 1;

/** A socket, or the HTTP/2 session on it. */
type Connection = Socket | ServerHttp2Session;

type OnOld = (peer: string) => void;

export class ConnectionAges {
  readonly #ageMaxMs: number;
  readonly #old = new WeakSet<Connection>();

  /** 0: connections may grow as old as they like. */
  constructor(ageMaxMs: number) {
    this.#ageMaxMs = ageMaxMs;
  }

  /** Calls back, with the address of the client as `ServerCall.peer` has it, when the connection is old. */
  watch(connection: Connection, socket: Pick<Socket, "remoteAddress" | "remotePort">, onOld: OnOld): void {
    if (this.#ageMaxMs === 0) return;
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    const ageMs = this.#ageMaxMs * (1 - JITTER + 2 * JITTER * randomFraction());
    const onTimer = (): void => {
      this.#old.add(connection);
      onOld(peer);
    };
    const timer = startTimer(ageMs, onTimer, { unref: true });
    connection.once("close", () => timer.cancel());
  }

  isOver(connection: Connection): boolean {
    return this.#old.has(connection);
  }
}

/**
 * Sends GOAWAY on old gRPC connections: new calls go to another one, those in flight end on this. Streams are told at once
 * (`onOld`), and what is open after the grace is cut. grpc-js does the same for its own option, but cannot tell streams.
 * Call it after createConnectionInjector: it reads the (private) list of http2 servers.
 */
export function endOldSessions(
  server: Server,
  ages: ConnectionAges,
  { graceMs, onOld }: { graceMs: number; onOld: OnOld },
): void {
  const servers: unknown = Reflect.get(server, "http2Servers");
  if (!(servers instanceof Map)) throw new TypeError("this grpc-js has no http2Servers");
  const end = (session: ServerHttp2Session, peer: string): void => {
    if (session.destroyed) return;
    session.goaway(constants.NGHTTP2_NO_ERROR, LAST_STREAM_ID);
    session.close();
    onOld(peer);
    const cut = startTimer(graceMs, () => session.destroy(), { unref: true });
    session.once("close", () => cut.cancel());
  };
  for (const http2Server of servers.keys() as Iterable<Http2Server>) {
    http2Server.on("session", (session: ServerHttp2Session) => {
      ages.watch(session, session.socket, (peer) => end(session, peer));
    });
  }
}
