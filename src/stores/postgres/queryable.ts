// What the parts of the PostgreSQL store say to a database: prepared statements in, rows as arrays out. How connections are
// kept, and what their failures mean, is in postgres-pool.ts.
import type { SqlValue } from "../operation-rows.ts";

/** A statement that is prepared once per connection, under its name. No byte of a user's is in its text. */
export interface Statement {
  /** Unique within the store; changes with the text. "" is prepared each time anew: for texts of endless variety. */
  name: string;
  text: string;
}

/** What can be bound: a value, or an array of one column's values, for `unnest`. */
export type BindValue = SqlValue | readonly SqlValue[] | readonly (readonly SqlValue[])[];

/** A column of an answer. BIGINT comes as a number (a larger one than 2^53 throws), JSON as its text. */
export type ColumnValue = SqlValue | boolean | readonly SqlValue[];

export interface Queryable {
  /** The rows of one statement, as arrays of columns. Throws what pg throws; postgres-failure.ts says what it means. */
  rows<Row extends readonly ColumnValue[]>(
    statement: Statement,
    values?: readonly BindValue[],
  ): Promise<Row[]>;
}

/** The connections of one store. */
export interface PostgresConnections extends Queryable {
  /**
   * A read on any connection; tried once more on a new one where the first was found broken. Throws STORAGE_UNAVAILABLE
   * where there is none.
   */
  rows<Row extends readonly ColumnValue[]>(
    statement: Statement,
    values?: readonly BindValue[],
  ): Promise<Row[]>;
  /**
   * Runs `work` in one transaction (READ COMMITTED) on one connection; once more where a pooler had taken its statements.
   * What COMMIT leaves unknown is STORAGE_UNAVAILABLE.
   */
  transaction<T>(work: (connection: Queryable) => Promise<T>): Promise<T>;
}
