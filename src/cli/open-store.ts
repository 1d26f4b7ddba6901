// Opens the store of a server: PostgreSQL where one is configured, else SQLite in the data folder. No other file picks one.
// The driver of PostgreSQL is loaded only where it is used.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { wallClockInstant } from "../base/clock.ts";
import { makeId } from "../base/ids.ts";
import type { Logger } from "../base/logger.ts";
import { createPrivateFile } from "../base/private-files.ts";
import type { SharedFiles } from "../base/shared-files.ts";
import type { Store } from "../engine/store.ts";
import type { PostgresStore } from "../stores/postgres/postgres-store.ts";
import { SqliteStore } from "../stores/sqlite/sqlite-store.ts";
import { type DatabaseConfig, type StoreConfig, urlWithPassword } from "./config/store-config.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { printError } from "./output.ts";
import { packageVersion } from "./package-version.ts";
import { StartPatience } from "./start-patience.ts";

/** What is there because other servers use the same store. */
export interface SharedParts {
  /** This server's name among them; the same after a restart on the same data folder. */
  readonly node: string;
  readonly files: SharedFiles;
}

/** An open store. */
export interface OpenedStore {
  readonly store: Store;
  /** For the line that serve prints: never a password. */
  readonly label: string;
  readonly shared: SharedParts | undefined;
  close(): Promise<void>;
}

/** Opens it. When it fails later, nothing can be acknowledged any more: the process ends at once. Throws a CliError. */
export async function openStore(
  folder: string,
  config: StoreConfig | undefined,
  logger: Logger,
  patience: StartPatience = new StartPatience(logger),
): Promise<OpenedStore> {
  // Each try to open it says the same again.
  const told = new Set<string>();
  let isOpen = false;
  const options = {
    onFatal: (line: string): void => {
      printError(line);
      process.exit(exitCodes.STORAGE);
    },
    onNotice: (line: string): void => {
      if (isOpen || !told.has(line)) logger.warn(line);
      told.add(line);
    },
  };
  try {
    if (config !== undefined) {
      const opened = await patience.run(() => openPostgres(folder, config, options));
      isOpen = true;
      return opened;
    }
    const store = await SqliteStore.open(folder, options);
    return { store, label: `data in ${folder}`, shared: undefined, close: () => store.close() };
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(error instanceof Error ? error.message : String(error), exitCodes.STORAGE);
  }
}

interface StoreEvents {
  onFatal(line: string): void;
  onNotice(line: string): void;
}

async function openPostgres(folder: string, config: StoreConfig, events: StoreEvents): Promise<OpenedStore> {
  const [{ parsePostgresUrl }, { lockFolder }] = await Promise.all([
    import("../stores/postgres/postgres-url.ts"),
    import("../stores/sqlite/folder-lock.ts"),
  ]);
  const { databases = [] } = config;
  const labels = [config, ...databases].map(({ url }) => parsePostgresUrl(url).label);
  if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: 0o700 });
  // The folder names this node: two of one name would settle each other's work.
  const lock = lockFolder(folder);
  const opened: Store[] = [];
  try {
    const node = nodeOf(folder);
    const open = await databaseOpener(node, config, events);
    const main = await open(config);
    opened.push(main);
    for (const database of databases) opened.push(await open(database));
    const store = await routed(main, opened.slice(1), databases);
    const close = async (): Promise<void> => {
      await store.close();
      lock.release();
    };
    const shared = { node, files: main.files };
    const label = `operations in PostgreSQL at ${labels.join(", ")}, node ${node} in ${folder}`;
    return { store, label, shared, close };
  } catch (error) {
    await Promise.allSettled(opened.map((store) => store.close()));
    lock.release();
    throw error;
  }
}

/** What opens one database of the store; all of them know this process by the same name. */
async function databaseOpener(
  node: string,
  { applicationName, listen }: StoreConfig,
  events: StoreEvents,
): Promise<(place: DatabaseConfig) => Promise<PostgresStore>> {
  const { PostgresStore } = await import("../stores/postgres/postgres-store.ts");
  return (place) =>
    PostgresStore.open({
      url: urlWithPassword(place),
      ...(place.poolSize !== undefined && { poolSize: place.poolSize }),
      ...(applicationName !== undefined && { applicationName }),
      ...(listen !== undefined && { listen }),
      node: { node, version: packageVersion(), host: hostname() },
      ...events,
    });
}

/** Several databases as one store; one as it is. */
async function routed(
  main: Store,
  others: readonly Store[],
  databases: readonly DatabaseConfig[],
): Promise<Store> {
  if (others.length === 0) return main;
  const { RoutedStore } = await import("../stores/routed/routed-store.ts");
  const routes = databases.flatMap(({ services, tenants }, index) => {
    const store = others[index];
    if (store === undefined) return [];
    return {
      store,
      services: services ? new Set(services) : null,
      tenants: tenants ? new Set(tenants) : null,
    };
  });
  return new RoutedStore(main, routes);
}

/** The name of the node whose folder this is; made with the folder's first use. */
function nodeOf(folder: string): string {
  const path = join(folder, "node-id");
  createPrivateFile(path, `${makeId("nod", wallClockInstant())}\n`);
  const node = readFileSync(path, "utf8").trim();
  if (/^[a-z0-9]{4,64}$/.test(node)) return node;
  throw new CliError(`${path} holds no name of a node; remove it, and a new one is made`, exitCodes.STORAGE);
}
