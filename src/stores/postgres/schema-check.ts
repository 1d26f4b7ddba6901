// Whether the schema of a database is what its migrations make: they are run into a schema of their own, both are read from
// the catalogue and compared, and the transaction is rolled back. So nothing here says again what the migrations say.
import { randomBase36 } from "../../base/random.ts";
import { knownMigrations, type Migration } from "./migration-files.ts";
import type { PostgresConnections, Queryable, Statement } from "./queryable.ts";

export interface SchemaCheck {
  /** How many columns, constraints, indexes, triggers and functions were compared. */
  compared: number;
  /** A line for each that is missing, or is not as the migrations make it. */
  problems: readonly string[];
}

const setLocal: Statement = { name: "check_set_local", text: "SELECT set_config($1, $2, true)" };
const readCurrent: Statement = { name: "check_current", text: "SELECT current_schema()::TEXT" };

/** Every object of a schema: what it is, its name, and its definition as the server writes it. */
const readObjects: Statement = {
  name: "check_objects",
  text: `WITH tables AS (
      SELECT c.oid, c.relname, c.reloptions FROM pg_class c
      WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p'))
    SELECT 'table'::TEXT, relname::TEXT, coalesce(array_to_string(reloptions, ', '), '')::TEXT FROM tables
    UNION ALL SELECT 'column', t.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod)
        || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
        || coalesce(' COLLATE ' || (SELECT collname FROM pg_collation l WHERE l.oid = a.attcollation AND collname <> 'default'), '')
        || CASE a.attidentity WHEN '' THEN '' ELSE ' IDENTITY' END
      FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
    UNION ALL SELECT 'constraint', t.relname || '.' || k.conname, pg_get_constraintdef(k.oid)
        || CASE WHEN k.convalidated THEN '' ELSE ' NOT VALID' END
      FROM tables t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype <> 'n'
    UNION ALL SELECT 'index', i.relname, pg_get_indexdef(x.indexrelid)
        || CASE WHEN x.indisvalid THEN '' ELSE ' INVALID' END
      FROM tables t JOIN pg_index x ON x.indrelid = t.oid JOIN pg_class i ON i.oid = x.indexrelid
    UNION ALL SELECT 'trigger', t.relname || '.' || g.tgname, pg_get_triggerdef(g.oid)
        || CASE g.tgenabled WHEN 'O' THEN '' ELSE ' DISABLED' END
      FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
    UNION ALL SELECT 'function', p.proname, md5(p.prosrc) FROM pg_proc p WHERE p.pronamespace = to_regnamespace($1)
    ORDER BY 1, 2`,
};

/** Thrown to end the transaction of a check: nothing of it may stay. */
class CheckDone extends Error {
  override name = "CheckDone";
}

/** Compares them. Needs the right to make a schema in the database. What the database has beyond it is left alone. */
export async function checkSchema(
  connections: PostgresConnections,
  migrations: readonly Migration[] = knownMigrations(),
): Promise<SchemaCheck> {
  let check: SchemaCheck | undefined;
  try {
    await connections.transaction(async (connection) => {
      check = await compare(connection, migrations);
      throw new CheckDone();
    });
  } catch (error) {
    if (check === undefined) throw error;
  }
  if (check === undefined) throw new Error("a check ends without an answer");
  return check;
}

async function compare(connection: Queryable, migrations: readonly Migration[]): Promise<SchemaCheck> {
  const [current] = await connection.rows<[string]>(readCurrent);
  const actual = await objectsOf(connection, current?.[0] ?? "public");
  const scratch = `belay_check_${randomBase36(10)}`;
  await connection.rows({ name: `make_${scratch}`, text: `CREATE SCHEMA ${scratch}` });
  await connection.rows(setLocal, ["search_path", scratch]);
  for (const { version, checksum, sql } of migrations) {
    await connection.rows({
      name: `check_step_${version}_${checksum.slice(0, 8)}`,
      text: `DO $belay_step$ BEGIN EXECUTE $belay_sql$${sql}$belay_sql$; END $belay_step$`,
    });
  }
  const wanted = await objectsOf(connection, scratch);
  const problems: string[] = [];
  for (const [name, definition] of wanted) {
    const found = actual.get(name);
    if (found === undefined) problems.push(`${name} is missing`);
    else if (found !== definition)
      problems.push(`${name} is ${found || "plain"}, and should be ${definition || "plain"}`);
  }
  return { compared: wanted.size, problems };
}

/** By kind and name. The schema's own name is taken out of the definitions: it differs. */
async function objectsOf(connection: Queryable, schema: string): Promise<Map<string, string>> {
  const rows = await connection.rows<[string, string, string]>(readObjects, [schema]);
  return new Map(
    rows.map(([kind, name, definition]) => [`${kind} ${name}`, definition.replaceAll(`${schema}.`, "")]),
  );
}
