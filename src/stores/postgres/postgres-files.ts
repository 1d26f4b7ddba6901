// The documents that all nodes of one database share (src/base/shared-files.ts), in the table shared_files.
import type { SharedFile, SharedFiles } from "../../base/shared-files.ts";
import type { PostgresConnections } from "./queryable.ts";
import { statement } from "./statements-read.ts";

const readFile = statement("shared_file_read", "SELECT content, revision FROM shared_files WHERE path = $1");
const listFiles = statement(
  "shared_file_list",
  "SELECT path, revision FROM shared_files WHERE starts_with(path, $1) ORDER BY path",
);
const createFile = statement(
  "shared_file_create",
  "INSERT INTO shared_files (path, revision, content) VALUES ($1, 1, $2) ON CONFLICT DO NOTHING RETURNING 1",
);
const replaceFile = statement(
  "shared_file_replace",
  "UPDATE shared_files SET content = $2, revision = revision + 1 WHERE path = $1 AND revision = $3 RETURNING 1",
);
const removeFile = statement("shared_file_remove", "DELETE FROM shared_files WHERE path = $1");

export class PostgresFiles implements SharedFiles {
  readonly #connections: PostgresConnections;

  constructor(connections: PostgresConnections) {
    this.#connections = connections;
  }

  async read(path: string): Promise<SharedFile | undefined> {
    const [row] = await this.#connections.rows<[Uint8Array, number]>(readFile, [path]);
    return row && { text: Buffer.from(row[0]).toString("utf8"), revision: row[1] };
  }

  async list(prefix: string): Promise<ReadonlyMap<string, number>> {
    return new Map(await this.#connections.rows<[string, number]>(listFiles, [prefix]));
  }

  async write(path: string, text: string, revision: number): Promise<boolean> {
    const content = Buffer.from(text, "utf8");
    return await this.#connections.transaction(async (connection) => {
      const rows =
        revision === 0
          ? await connection.rows(createFile, [path, content])
          : await connection.rows(replaceFile, [path, content, revision]);
      return rows.length > 0;
    });
  }

  async remove(path: string): Promise<void> {
    await this.#connections.transaction((connection) => connection.rows(removeFile, [path]));
  }
}
