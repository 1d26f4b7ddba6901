// Brings the schema up to date. The files are at the package's root, so that src/ and dist/ find them alike.
import { readdirSync, readFileSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import type { Instant } from "../../base/clock.ts";
import { StoreOpenError } from "../store-open-error.ts";
import { allRows, getRow, inTransaction, prepareRows } from "./database.ts";

const folder = new URL("../../../migrations/sqlite/", import.meta.url);

interface Migration {
  version: number;
  file: string;
}

/** The migrations of this version of Belay, by number: `0001_initial.sql` is 1. */
export function knownMigrations(): readonly Migration[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".sql"))
    .sort()
    .map((file) => ({ version: Number.parseInt(file, 10), file }));
}

/**
 * Runs the missing migrations, each in its own transaction. A schema that is newer than this version, or a database
 * that is not Belay's, is refused and left as it is.
 */
export function migrate(database: DatabaseSync, path: string, now: Instant): void {
  const migrations = knownMigrations();
  const newest = migrations.at(-1)?.version ?? 0;
  const current = schemaVersion(database, path);
  if (current > newest) {
    throw new StoreOpenError(
      `${path} has schema ${current}; this version of Belay knows ${newest}: use a newer one`,
    );
  }
  for (const { version, file } of migrations) {
    if (version <= current) continue;
    const sql = readFileSync(new URL(file, folder), "utf8");
    withoutForeignKeys(database, () =>
      inTransaction(database, "IMMEDIATE", () => {
        database.exec(sql);
        if (version === 1) createMeta(database, now);
        else requireForeignKeys(database, path, file);
        database.prepare("UPDATE meta SET schema_version = ?").run(version);
      }),
    );
  }
}

/**
 * A table whose constraints change is made anew, filled and renamed (https://sqlite.org/lang_altertable.html, 7);
 * dropping the old one would delete, by its foreign keys, all that refers to it. The setting is ignored inside a
 * transaction, so it is changed around it.
 */
function withoutForeignKeys(database: DatabaseSync, work: () => void): void {
  database.exec("PRAGMA foreign_keys = OFF");
  try {
    work();
  } finally {
    database.exec("PRAGMA foreign_keys = ON");
  }
}

/** What the database did not check meanwhile. */
function requireForeignKeys(database: DatabaseSync, path: string, file: string): void {
  const [broken] = allRows<[string]>(prepareRows(database, "PRAGMA foreign_key_check"));
  if (broken)
    throw new StoreOpenError(`${path}: migration ${file} leaves rows of ${broken[0]} without theirs`);
}

function createMeta(database: DatabaseSync, now: Instant): void {
  const sql = `INSERT INTO meta (id, schema_version, create_time, last_instant, boot_id, anchor_wall, anchor_boottime, anchor_monotonic)
    VALUES (1, 1, ?, 0, '', 0, 0, 0)`;
  database.prepare(sql).run(now);
}

/** 0 for an empty file. */
function schemaVersion(database: DatabaseSync, path: string): number {
  const tables =
    "SELECT count(*), coalesce(sum(name = 'meta'), 0), coalesce(sum(name = 'operations'), 0) FROM sqlite_schema";
  const [objects, meta, operations] = getRow<[number, number, number]>(prepareRows(database, tables)) ?? [
    0, 0, 0,
  ];
  if (objects === 0) return 0;
  if (meta === 0 || operations === 0)
    throw new StoreOpenError(`${path} is a database, but not one of Belay's`);
  return getRow<[number]>(prepareRows(database, "SELECT schema_version FROM meta"))?.[0] ?? 0;
}
