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
  /** libpq's `options` of the URL, or "": those of Belay come after them. pg would take the URL's instead of ours. */
  options: string;
  /** For people: without user and password. */
  label: string;
}

const DEFAULT_PORT = 5432;

/** A commit that is broken off by one of these has an outcome that nobody knows: they are Belay's to set. */
const ownSettings: ReadonlySet<string> = new Set([
  "statement_timeout",
  "lock_timeout",
  "idle_in_transaction_session_timeout",
  "transaction_timeout",
  "query_timeout",
]);

/** Of libpq's parameters and of pg's: libpq's wish for a server that takes writes is always ours, and pg does not know it. */
const takenOut: ReadonlySet<string> = new Set(["target_session_attrs", "options"]);

/**
 * Parses `postgres://user:password@host:port,host:port/database?sslmode=...`. Throws an Error that holds no password; also for
 * a setting in it that is Belay's own.
 */
export function parsePostgresUrl(url: string): PostgresAddress {
  const match = /^(postgres(?:ql)?:\/\/)((?:[^@/?]*@)?)([^/?]*)(\/[^?]*)?(\?.*)?$/.exec(url);
  if (!match) throw new Error("a database URL has the form postgres://user@host:port/database");
  const [, scheme = "", user = "", hosts = "", path = "", query = ""] = match;
  const endpoints = hosts.split(",").map((text) => {
    const parts = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(text);
    if (!parts) throw new Error(`${text} is no host of a database URL`);
    return { host: parts[1] ?? "", port: Number(parts[2] ?? DEFAULT_PORT) };
  });
  const parameters = new URLSearchParams(query);
  const options = parameters.get("options") ?? "";
  for (const name of [...parameters.keys(), ...namesOf(options)]) {
    if (ownSettings.has(name)) throw new Error(`a database URL sets ${name}, which Belay sets itself`);
  }
  return {
    endpoints,
    options,
    urlOf: ({ host, port }) =>
      `${scheme}${user}${host}${host === "" ? "" : `:${port}`}${path}${withoutOurs(query)}`,
    label: `${hosts}${path}`,
  };
}

/** The settings of `-c name=value`, `-cname=value` and `--name=value`; a dash in a name is an underscore. */
function namesOf(options: string): string[] {
  return [...options.matchAll(/(?:^|\s)-(?:c\s*|-)([\w.-]+)=/g)].map(([, name = ""]) =>
    name.toLowerCase().replaceAll("-", "_"),
  );
}

function withoutOurs(query: string): string {
  const rest = query
    .replace(/^\?/, "")
    .split("&")
    .filter((part) => !takenOut.has(part.replace(/=.*$/s, "")));
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
    ...(address.options !== "" && { options: address.options }),
    application_name: applicationName,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    connectionTimeoutMillis: 3000,
  };
}
