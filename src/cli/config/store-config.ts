// Which database the operations are kept in, as `store:` of belay.yaml and --store say it. Loads nothing heavy.
import { readFileSync } from "node:fs";

/** A PostgreSQL database, as it is configured. */
export interface StoreConfig {
  /** `postgres://user@host/database`; several hosts with commas. */
  readonly url: string;
  /** A file with the password; else that of the URL, PGPASSWORD, or PGPASSFILE. */
  readonly passwordFile?: string | undefined;
  /** Connections for commits and reads. */
  readonly poolSize?: number | undefined;
  /** As pg_stat_activity shows it. */
  readonly applicationName?: string | undefined;
  /** Where to listen for other nodes, past a pooler that passes no LISTEN on; false only polls. */
  readonly listen?: boolean | undefined;
  /** Further databases, with what each of them has; everything else is in the one above. */
  readonly databases?: readonly DatabaseConfig[] | undefined;
}

/** A further database, and the operations that it has: those of its services, of its tenants, or of both at once. */
export interface DatabaseConfig extends Pick<StoreConfig, "url" | "passwordFile" | "poolSize"> {
  readonly services?: readonly string[] | undefined;
  readonly tenants?: readonly string[] | undefined;
}

/** True for what can be the URL of a store. */
export function isStoreUrl(text: string): boolean {
  return /^postgres(ql)?:\/\/./.test(text);
}

/** What a URL must be; the value is not told: it may hold a password. */
export const STORE_URL_FORM = "is no URL of a store; expected postgres://user@host/database";

/** The URL with the password of the file in it. Throws what reading the file throws. */
export function urlWithPassword({ url, passwordFile }: Pick<StoreConfig, "url" | "passwordFile">): string {
  if (passwordFile === undefined) return url;
  const password = readFileSync(passwordFile, "utf8").replace(/\r?\n$/, "");
  const [, scheme = "", user = "", rest = ""] =
    /^([a-z]+:\/\/)(?:([^:@/?]*)(?::[^@/?]*)?@)?(.*)$/s.exec(url) ?? [];
  return `${scheme}${user}:${encodeURIComponent(password)}@${rest}`;
}
