// The address of a server as people write it: `host:port`, `http://host:port`, `https://host:port`, a bare host.

/** Where a server listens. */
export interface ServerAddress {
  host: string;
  port: number;
  /** Default false. */
  isTls?: boolean;
}

/** The port of a server that names none. */
export const DEFAULT_PORT = 8080;

const HTTPS_PORT = 443;

/**
 * Reads `127.0.0.1:8080`, `localhost`, `[::1]:9000`, `http://host:port` or, for TLS, `https://host:port`.
 * Throws a TypeError that says what is wrong with anything else.
 */
export function parseServerAddress(text: string): ServerAddress {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text);
  const protocol = scheme?.[1]?.toLowerCase() ?? "http";
  if (protocol !== "http" && protocol !== "https") {
    throw new TypeError(`server address ${JSON.stringify(text)}: only http:// and https:// are supported`);
  }
  const isTls = protocol === "https";
  const url = URL.parse(scheme ? text : `http://${text}`);
  const isPlain = url !== null && /^\/?$/.test(url.pathname) && !url.search && !url.hash && !url.username;
  if (!isPlain || url.hostname === "") {
    throw new TypeError(`server address ${JSON.stringify(text)} is not of the form host:port`);
  }
  // URL drops the scheme's own port; what was written wins.
  const written = /:(\d+)\/?$/.exec(text.replace(/^.*\]/, ""));
  const port = written ? Number(written[1]) : isTls ? HTTPS_PORT : DEFAULT_PORT;
  if (port < 1) throw new TypeError(`server address ${JSON.stringify(text)}: the port must be 1-65535`);
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port, isTls };
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatServerAddress(address: ServerAddress): string {
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}
