// Statements whose text depends on a filter, kept prepared: filters come in few shapes, and preparing one takes as long
// as a small page.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { prepareRows } from "./database.ts";

const STATEMENTS_MAX = 64;

/** The statements that were prepared last, by their text; rows are arrays. */
export class StatementCache {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const [oldest] = this.#statements.keys();
    if (oldest !== undefined && this.#statements.size >= STATEMENTS_MAX) this.#statements.delete(oldest);
    const statement = prepareRows(this.#database, sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
