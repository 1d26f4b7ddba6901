// The migrations of this version of Belay, as files: their numbers, their checksums, and which nodes can go on working
// while one is applied. The files are at the package's root, so that src/ and dist/ find them alike.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

const folder = new URL("../../../migrations/postgres/", import.meta.url);

/** How many lines of a file are looked at for its header. */
const HEADER_LINES = 3;

export interface Migration {
  /** `0001_initial.sql` is 1. The newest one's is the number of the schema. */
  version: number;
  file: string;
  sql: string;
  /** SHA-256 of the text, in hex. */
  checksum: string;
  /**
   * The oldest schema whose nodes go on working once this is applied; a step that is unsafe for all old nodes has its
   * own number. In the file's first lines: `-- works-with-schema: 3`.
   */
  worksWith: number;
}

/** The migrations of this version, by number. Throws where a file has no header: nobody may guess whom it breaks. */
export function knownMigrations(): readonly Migration[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".sql"))
    .sort()
    .map((file) => parseMigration(file, readFileSync(new URL(file, folder), "utf8")));
}

/** A migration of its file's name and text. */
export function parseMigration(file: string, text: string): Migration {
  const version = Number.parseInt(file, 10);
  // A checkout may have turned line ends; the content is the same.
  const sql = text.replaceAll("\r\n", "\n");
  const header = sql.split("\n", HEADER_LINES).find((line) => line.startsWith("-- works-with-schema:"));
  const worksWith = Number.parseInt(header?.replace(/^.*?:/, "") ?? "", 10);
  if (!(version >= 1) || !(worksWith >= 1 && worksWith <= version)) {
    throw new Error(`migration ${file} does not say in its first lines which schema it works with`);
  }
  return { version, file, sql, checksum: createHash("sha256").update(sql).digest("hex"), worksWith };
}
