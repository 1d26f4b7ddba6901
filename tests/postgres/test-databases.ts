// What a test gets of a PostgreSQL server that it may share with others: databases of its own.
import { Client } from "pg";

let made = 0;

/** The databases of one server. */
export class TestDatabases {
  readonly #url: string;

  /** `url`: of the server, `postgres://postgres@127.0.0.1:5432`. */
  constructor(url: string) {
    this.#url = url;
  }

  /** The connection string of a database. */
  url(database = "postgres"): string {
    return `${this.#url}/${database}`;
  }

  /** Makes a database, a copy of `template` if one is named (nobody may be connected to it), and answers its name. */
  async createDatabase({ template = "template0" }: { template?: string } = {}): Promise<string> {
    made++;
    const name = `test_${process.pid}_${made}_${process.hrtime.bigint().toString(36)}`;
    await this.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
    return name;
  }

  /** Drops a database, and ends the connections that it still has. */
  async dropDatabase(name: string): Promise<void> {
    await this.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  }

  /** Runs a statement on a connection of its own. Numbers of 64 bits come as text. */
  async query(
    text: string,
    values: readonly unknown[] = [],
    database = "postgres",
  ): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: this.url(database) });
    client.on("error", () => {}); // the query says it, too
    await client.connect();
    try {
      const { rows } = await client.query<Record<string, unknown>>(text, [...values]);
      return rows ?? [];
    } finally {
      await client.end();
    }
  }
}
