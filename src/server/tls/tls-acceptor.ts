// The TLS side of one port: takes sockets that begin with a ClientHello and gives back decrypted ones. What is spoken
// inside, and how long a client may take, is the port's affair.
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { Certificate } from "./certificate.ts";
import type { AlpnProtocol } from "./tls-options.ts";

/** What becomes of one handshake. */
export interface Handshake {
  onSecure(secure: TLSSocket): void;
  /** The connection is closed already. */
  onFailure(error: Error): void;
}

/** TLS 1.3 names its suites itself; of TLS 1.2 Node's default list is taken. */
const MIN_VERSION = "TLSv1.2";

const otherProtocol: Readonly<Record<AlpnProtocol, AlpnProtocol>> = { h2: "http/1.1", "http/1.1": "h2" };

export class TlsAcceptor {
  // A tls.Server that never listens: emitting "connection" is its documented way to take sockets from elsewhere.
  readonly #server: Server;
  // It does not say which socket a secured one was made of, so they are found by their two ends.
  readonly #handshakes = new Map<string, Handshake>();

  /** `preference` is what a client gets that offers both protocols. */
  constructor(certificate: Certificate, preference: AlpnProtocol) {
    const order = [preference, otherProtocol[preference]];
    this.#server = createServer({
      cert: certificate.cert,
      key: certificate.key,
      minVersion: MIN_VERSION,
      // Not called for a client that offers nothing. Undefined ends the handshake with no_application_protocol.
      ALPNCallback: ({ protocols }) => order.find((protocol) => protocols.includes(protocol)),
    });
    this.#server.on("secureConnection", (secure) => {
      const handshake = this.#take(secure);
      if (handshake) handshake.onSecure(secure);
      else secure.destroy();
    });
    this.#server.on("tlsClientError", (error, secure) => {
      const handshake = this.#take(secure);
      secure.destroy();
      handshake?.onFailure(error);
    });
  }

  /** New connections get this certificate; those that are open keep theirs. */
  setCertificate({ cert, key }: Certificate): void {
    this.#server.setSecureContext({ cert, key, minVersion: MIN_VERSION });
  }

  /** Begins the handshake on a socket whose first bytes, if they were read, are unshifted. */
  accept(raw: Socket, handshake: Handshake): void {
    const ends = endsOf(raw);
    this.#handshakes.set(ends, handshake);
    raw.once("close", () => this.#handshakes.delete(ends));
    this.#server.emit("connection", raw);
  }

  #take(secure: TLSSocket): Handshake | undefined {
    const ends = endsOf(secure);
    const handshake = this.#handshakes.get(ends);
    this.#handshakes.delete(ends);
    return handshake;
  }
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
