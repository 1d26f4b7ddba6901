// The operation types that remote workers declared.
import type { OperationPolicy } from "../../engine/operation.ts";
import type { DeclaredType } from "../../engine/store.ts";
import type { Queryable } from "./queryable.ts";
import { statement } from "./statements-read.ts";

const listTypes = statement("list_types", "SELECT type, policy FROM declared_types ORDER BY type");
// In one order, so that two nodes do not wait for each other; without a write where nothing changes, since each worker
// declares its types with each connection.
const putTypes = statement(
  "put_types",
  `INSERT INTO declared_types (type, policy) SELECT t.type, t.policy FROM unnest($1::TEXT[], $2::TEXT[]) t (type, policy)
    ORDER BY t.type
    ON CONFLICT (type) DO UPDATE SET policy = excluded.policy WHERE declared_types.policy <> excluded.policy`,
);
const dropTypes = statement(
  "drop_types",
  `DELETE FROM declared_types WHERE type IN
    (SELECT type FROM declared_types WHERE type = ANY ($1::TEXT[]) ORDER BY type FOR UPDATE)`,
);

export async function readTypes(database: Queryable): Promise<readonly DeclaredType[]> {
  const rows = await database.rows<[string, string]>(listTypes);
  return rows.map(([type, policy]) => ({ type, policy: JSON.parse(policy) as OperationPolicy }));
}

export async function writeTypes(database: Queryable, types: readonly DeclaredType[]): Promise<void> {
  // A statement may not touch a row twice: of a type that comes twice, the last one counts.
  const last = new Map(types.map(({ type, policy }) => [type, JSON.stringify(policy)]));
  if (last.size > 0) await database.rows(putTypes, [[...last.keys()], [...last.values()]]);
}

export async function removeTypes(database: Queryable, types: readonly string[]): Promise<void> {
  if (types.length > 0) await database.rows(dropTypes, [types]);
}
