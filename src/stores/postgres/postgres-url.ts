// Where a database is: a URL in libpq's form, with several hosts where there are standbys.
import type pg from "pg";

/** One server of a URL. */
export interface Endpoint {
  host: string;
  port: number;
}

export interface PostgresAddress {
  /** In the order in which they are tried. */
  endpoints: readonly Endpoint[];
  /** A URL for pg with one host in it. */
  urlOf(endpoint: Endpoint): string;
  /** For people: without user and password. */
  label: string;
}

const DEFAULT_PORT = 5432;

/** Parses `postgres://user:password@host:port,host:port/database?sslmode=...`. Throws an Error that holds no password. */
export function parsePostgresUrl(url: string): PostgresAddress {
  const match = /^(postgres(?:ql)?:\/\/)((?:[^@/?]*@)?)([^/?]*)(\/[^?]*)?(\?.*)?$/.exec(url);
  if (!match) throw new Error("a database URL has the form postgres://user@host:port/database");
  const [, scheme = "", user = "", hosts = "", path = "", query = ""] = match;
  const endpoints = hosts.split(",").map((text) => {
    const parts = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(text);
    if (!parts) throw new Error(`${text} is no host of a database URL`);
    return { host: parts[1] ?? "", port: Number(parts[2] ?? DEFAULT_PORT) };
  });
  return {
    endpoints,
    urlOf: ({ host, port }) =>
      `${scheme}${user}${host}${host === "" ? "" : `:${port}`}${path}${withoutOurs(query)}`,
    label: `${hosts}${path}`,
  };
}

/** libpq's wish for a server that takes writes is always ours: pg does not know the parameter. */
function withoutOurs(query: string): string {
  const rest = query
    .replace(/^\?/, "")
    .split("&")
    .filter((part) => !part.startsWith("target_session_attrs="));
  return rest.join("&") === "" ? "" : `?${rest.join("&")}`;
}

/** What pg is told for one server. */
export function clientConfig(
  address: PostgresAddress,
  endpoint: Endpoint,
  applicationName: string,
): pg.ClientConfig {
  return {
    connectionString: address.urlOf(endpoint),
    application_name: applicationName,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    connectionTimeoutMillis: 3000,
  };
}
