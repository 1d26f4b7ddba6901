// What an operator says about TLS. Plain data: nothing is read and nothing is loaded here.

/** The protocols of the one port, by their ALPN names (RFC 7301). */
export type AlpnProtocol = "http/1.1" | "h2";

/** Where the server's certificate is, and what a port does with TLS. */
export interface TlsOptions {
  /** PEM: the server's certificate, then the ones between it and its root. */
  certFile: string;
  /** PEM: its private key, without a passphrase. */
  keyFile: string;
  /**
   * What a client gets that offers both protocols; default `http/1.1`. A client that offers h2 alone, as every gRPC
   * client does, gets gRPC in any case.
   */
  alpnPreference?: AlpnProtocol;
  /** Takes cleartext on the same port too; default true on a loopback address, false on any other. */
  cleartext?: boolean;
}
