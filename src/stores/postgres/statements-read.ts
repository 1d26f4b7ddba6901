// The pieces of SQL that reads share. No statement holds a byte of a user's: everything is bound.
//
// A prepared statement may keep the plan that it got when its tables were small or not yet analysed. So no plan here is
// left to estimates: what belongs to an operation is looked up in a LATERAL with a LIMIT, which can only be a nested loop
// along a primary key. A join would become a hash of the whole table once a plan expects a tenth of a million rows, as
// it does for every `LIMIT $1`.
import { createHash } from "node:crypto";
import { OPERATION_COLUMNS } from "../operation-rows.ts";
import type { Statement } from "./queryable.ts";

/** The columns of an OperationRow, of `operations o`. */
export const operationColumns: string = OPERATION_COLUMNS.map((column) => `o.${column}`).join(", ");

function payloadJoin(alias: string, kind: string): string {
  return `LEFT JOIN LATERAL (SELECT p.type_url, p.bytes, p.encoding FROM payloads p
    WHERE p.service = o.service AND p.tenant = o.tenant AND p.name = o.name AND p.kind = '${kind}'
    LIMIT 1) ${alias} ON TRUE`;
}

function payloadColumns(alias: string): string {
  return `${alias}.type_url, ${alias}.bytes, ${alias}.encoding`;
}

/** A StoredRow: the operation, its response, its metadata. */
export const storedColumns = `${operationColumns}, ${payloadColumns("r")}, ${payloadColumns("m")}`;
// Without an outcome there is no response to look for; one without bytes is in the operation's own row.
const responseJoin = `LEFT JOIN LATERAL (
    SELECT o.empty_response AS type_url, ''::BYTEA AS bytes, '' AS encoding WHERE o.empty_response IS NOT NULL
    UNION ALL SELECT p.type_url, p.bytes, p.encoding FROM payloads p
      WHERE o.outcome = 'response' AND o.empty_response IS NULL
        AND p.service = o.service AND p.tenant = o.tenant AND p.name = o.name AND p.kind = 'response'
    LIMIT 1) r ON TRUE`;
export const storedJoins = `${responseJoin} ${payloadJoin("m", "metadata")}`;

/** A GrantRow: a StoredRow, then its request and its checkpoint. */
export const grantColumns = `${storedColumns}, ${payloadColumns("q")}, ${payloadColumns("c")}`;
export const grantJoins = `${storedJoins} ${payloadJoin("q", "request")} ${payloadJoin("c", "checkpoint")}`;

/** The labels of a ListedRow: JSON, or null for none. */
export const labelsColumn = `(SELECT json_object_agg(l.key, l.value) FROM labels l
  WHERE l.service = o.service AND l.tenant = o.tenant AND l.name = o.name)`;

/** About how many bytes the payloads of a stored row are. The length of a long value stands beside it: it is not read. */
export const payloadBytes = "coalesce(octet_length(r.bytes), 0) + coalesce(octet_length(m.bytes), 0)";

/** A row of `operations`, found by a key: `of` names the key's three columns or values. */
export function operationByKey(
  [service, tenant, name]: readonly [string, string, string],
  alias: string,
): string {
  return `LATERAL (SELECT * FROM operations x
    WHERE x.service = ${service} AND x.tenant = ${tenant} AND x.name = ${name} LIMIT 1) ${alias}`;
}

/** What a page selects of operations with their payloads, once both are columns of `o`. */
export const pageColumns = `${operationColumns}, o.response_type, o.response_bytes, o.response_encoding,
  o.metadata_type, o.metadata_bytes, o.metadata_encoding`;
export const pagePayloads = `r.type_url AS response_type, r.bytes AS response_bytes, r.encoding AS response_encoding,
  m.type_url AS metadata_type, m.bytes AS metadata_bytes, m.encoding AS metadata_encoding`;

/** A statement with its name. */
export function statement(name: string, text: string): Statement {
  return { name, text };
}

/** Statements that stay prepared on each connection. */
const SHAPES_MAX = 100;

/**
 * Statements whose text depends on a filter. Filters come in few shapes, and those stay prepared; beyond that they are
 * prepared each time anew, so that nobody fills the server's memory with filters.
 */
export class ShapedStatements {
  readonly #prefix: string;
  readonly #known = new Map<string, Statement>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  get(text: string): Statement {
    const known = this.#known.get(text);
    if (known) return known;
    if (this.#known.size >= SHAPES_MAX) return statement("", text);
    const hash = createHash("sha256").update(text).digest("base64url").slice(0, 22);
    const made = statement(`${this.#prefix}_${hash}`, text);
    this.#known.set(text, made);
    return made;
  }
}
