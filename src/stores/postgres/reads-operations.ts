// Point reads of operations and what is theirs. Each is one statement: it sees one moment.
import type { OperationDetail, OperationKey, Payload, StoredOperation } from "../../engine/operation.ts";
import type { ChildSummary } from "../../engine/store.ts";
import { type AttemptRow, type ChildRow, rowToAttempt, rowToChild } from "../detail-rows.ts";
import { type PayloadRow, rowToPayload, rowToStoredOperation, type StoredRow } from "../operation-rows.ts";
import { PointReads } from "../point-reads.ts";
import type { ColumnValue, Queryable, Statement } from "./queryable.ts";
import {
  grantColumns,
  grantJoins,
  labelsColumn,
  operationByKey,
  statement,
  storedColumns,
  storedJoins,
} from "./statements-read.ts";

/** Keys of one statement: about 3 ms of the server, and 200 answers that grow with their payloads. */
const KEYS_MAX = 200;

/** One statement for one key, and one for many, which answers the place of each row's key, from 1, before its columns. */
interface KeyedStatements {
  one: Statement;
  many: Statement;
}

function byKey(name: string, columns: string, joins: string): KeyedStatements {
  return {
    one: statement(
      `get_${name}`,
      `SELECT ${columns} FROM operations o ${joins} WHERE o.service = $1 AND o.tenant = $2 AND o.name = $3`,
    ),
    many: statement(
      `get_${name}s`,
      `SELECT k.place, ${columns}
        FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[]) WITH ORDINALITY k (service, tenant, name, place)
        CROSS JOIN ${operationByKey(["k.service", "k.tenant", "k.name"], "o")} ${joins}`,
    ),
  };
}

const getOperations = byKey("operation", storedColumns, storedJoins);

/** The attempt that succeeded is in the operation's own row. */
const allAttempts = `(SELECT attempt, session, start_time, end_time, outcome, error FROM attempts x
      WHERE x.service = o.service AND x.tenant = o.tenant AND x.name = o.name
    UNION ALL SELECT o.attempt, o.end_session, o.attempt_start_time, o.done_time, 'SUCCEEDED', NULL
      WHERE o.end_session IS NOT NULL)`;

const getDetails = byKey(
  "operation_detail",
  `${grantColumns}, ${labelsColumn},
    (SELECT json_agg(json_build_array(a.attempt, a.session, a.start_time, a.end_time, a.outcome, a.error)
        ORDER BY a.attempt) FROM ${allAttempts} a)`,
  grantJoins,
);

const listChildren = statement(
  "list_children",
  `SELECT l.service, l.name, o.type, o.state, l.policy, l.detached
    FROM child_links l CROSS JOIN ${operationByKey(["l.service", "l.tenant", "l.name"], "o")}
    WHERE l.tenant = $1 AND l.parent_service = $2 AND l.parent_name = $3 ORDER BY l.position LIMIT $4`,
);

type DetailRow = [
  ...StoredRow,
  ...request: PayloadRow,
  ...checkpoint: PayloadRow,
  labels: string | null,
  attempts: string | null,
];

export class OperationReads {
  readonly #database: Queryable;
  readonly #points: PointReads;
  readonly #details: PointReads<OperationDetail>;

  constructor(database: Queryable) {
    this.#database = database;
    this.#points = new PointReads((keys) => this.#readMany(getOperations, keys, rowToStoredOperation));
    this.#details = new PointReads((keys) => this.#readMany(getDetails, keys, rowToDetail));
  }

  async getOperation(key: OperationKey): Promise<StoredOperation | undefined> {
    return isStorable(key) ? this.#points.read(key) : undefined;
  }

  async getOperationDetail(key: OperationKey): Promise<OperationDetail | undefined> {
    return isStorable(key) ? this.#details.read(key) : undefined;
  }

  async listChildren(
    { service, tenant, name }: OperationKey,
    limit: number,
  ): Promise<readonly ChildSummary[]> {
    const rows = await this.#database.rows<ChildRow>(listChildren, [tenant, service, name, limit]);
    return rows.map(rowToChild);
  }

  async #readMany<Row extends readonly ColumnValue[], Found>(
    statements: KeyedStatements,
    keys: readonly OperationKey[],
    toFound: (row: Row) => Found,
  ): Promise<(Found | undefined)[]> {
    const [only] = keys;
    // The usual case on a quiet server, and a third cheaper than a list of one.
    if (only && keys.length === 1) {
      const [row] = await this.#database.rows<Row>(statements.one, keyValues(only));
      return [row && toFound(row)];
    }
    const parts: Promise<(Found | undefined)[]>[] = [];
    for (let at = 0; at < keys.length; at += KEYS_MAX)
      parts.push(this.#readSome(statements.many, keys.slice(at, at + KEYS_MAX), toFound));
    return (await Promise.all(parts)).flat();
  }

  async #readSome<Row extends readonly ColumnValue[], Found>(
    many: Statement,
    keys: readonly OperationKey[],
    toFound: (row: Row) => Found,
  ): Promise<(Found | undefined)[]> {
    const columns = [
      keys.map(({ service }) => service),
      keys.map(({ tenant }) => tenant),
      keys.map(({ name }) => name),
    ];
    const rows = await this.#database.rows<[number, ...Row]>(many, columns);
    const found: (Found | undefined)[] = keys.map(() => undefined);
    for (const [place, ...row] of rows) found[place - 1] = toFound(row);
    return found;
  }
}

function rowToDetail(row: DetailRow): OperationDetail {
  const [labels, attempts] = row.slice(-2) as [string | null, string | null];
  const attemptRows = attempts === null ? [] : (JSON.parse(attempts) as AttemptRow[]);
  return {
    ...rowToStoredOperation(row as unknown as StoredRow),
    labels: labels === null ? {} : (JSON.parse(labels) as Record<string, string>),
    request: payloadAt(row, -8),
    checkpoint: payloadAt(row, -5),
    attempts: attemptRows.map(rowToAttempt),
  };
}

/** PostgreSQL keeps no text with U+0000, and refuses to be asked for it. */
function isStorable({ service, tenant, name }: OperationKey): boolean {
  return !`${service}${tenant}${name}`.includes("\0");
}

function keyValues({ service, tenant, name }: OperationKey): [string, string, string] {
  return [service, tenant, name];
}

function payloadAt(row: DetailRow, at: number): Payload | null {
  return rowToPayload(row.slice(at, at + 3) as PayloadRow);
}
