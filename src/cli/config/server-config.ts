// What belay.yaml says, read and checked: plain data for `belay serve`. Absent is what the file does not say.
import type { LogLevel } from "../../base/logger.ts";
import type { AuthConfig } from "../../server/auth/auth-config.ts";
import type { ServerLimits } from "../../server/config.ts";
import type { TlsOptions } from "../../server/tls/tls-options.ts";
import type { ServiceDeclaration } from "../../services/service-declaration.ts";
import type { StoreConfig } from "./store-config.ts";

/** A configuration file. Paths in it are absolute: they were relative to its folder. */
export interface ServerConfig {
  /** The file, as it was named. */
  readonly file: string;
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly data: string | undefined;
  /** Absent: SQLite in the data folder. */
  readonly store: StoreConfig | undefined;
  readonly slots: number | undefined;
  readonly logLevel: LogLevel | undefined;
  /** Milliseconds. */
  readonly shutdownDelay: number | undefined;
  readonly shutdownGrace: number | undefined;
  readonly tls: TlsOptions | undefined;
  readonly auth: AuthConfig | undefined;
  readonly limits: Partial<ServerLimits>;
  /** Modules that export operations. */
  readonly operationFiles: readonly string[] | undefined;
  /** Where the file names each of them: `belay.yaml:3:14: operations[0]`. */
  readonly operationPlaces: readonly string[] | undefined;
  /** `NAME=COMMAND`, as `--exec` takes them. */
  readonly execCommands: readonly string[] | undefined;
  /** The built-in services with what the file adds to them, then those of the file. */
  readonly services: readonly ServiceDeclaration[];
}
