// Point reads of operations and what is theirs. Each is one statement: it sees one moment.
import type { OperationDetail, OperationKey, Payload, StoredOperation } from "../../engine/operation.ts";
import type { ChildSummary } from "../../engine/store.ts";
import { type AttemptRow, type ChildRow, rowToAttempt, rowToChild } from "../detail-rows.ts";
import { type PayloadRow, rowToPayload, rowToStoredOperation, type StoredRow } from "../operation-rows.ts";
import { PointReads } from "../point-reads.ts";
import type { Queryable } from "./queryable.ts";
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

const getOne = statement(
  "get_operation",
  `SELECT ${storedColumns} FROM operations o ${storedJoins}
    WHERE o.service = $1 AND o.tenant = $2 AND o.name = $3`,
);

const getMany = statement(
  "get_operations",
  `SELECT k.place, ${storedColumns}
    FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[]) WITH ORDINALITY k (service, tenant, name, place)
    CROSS JOIN ${operationByKey(["k.service", "k.tenant", "k.name"], "o")} ${storedJoins}`,
);

/** The attempt that succeeded is in the operation's own row. */
const allAttempts = `(SELECT attempt, session, start_time, end_time, outcome, error FROM attempts x
      WHERE x.service = o.service AND x.tenant = o.tenant AND x.name = o.name
    UNION ALL SELECT o.attempt, o.end_session, o.attempt_start_time, o.done_time, 'SUCCEEDED', NULL
      WHERE o.end_session IS NOT NULL)`;

const getDetail = statement(
  "get_operation_detail",
  `SELECT ${grantColumns}, ${labelsColumn},
      (SELECT json_agg(json_build_array(a.attempt, a.session, a.start_time, a.end_time, a.outcome, a.error)
          ORDER BY a.attempt) FROM ${allAttempts} a)
    FROM operations o ${grantJoins}
    WHERE o.service = $1 AND o.tenant = $2 AND o.name = $3`,
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

  constructor(database: Queryable) {
    this.#database = database;
    this.#points = new PointReads((keys) => this.#readMany(keys));
  }

  async getOperation(key: OperationKey): Promise<StoredOperation | undefined> {
    return isStorable(key) ? this.#points.read(key) : undefined;
  }

  async getOperationDetail(key: OperationKey): Promise<OperationDetail | undefined> {
    if (!isStorable(key)) return undefined;
    const [row] = await this.#database.rows<DetailRow>(getDetail, keyValues(key));
    if (!row) return undefined;
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

  async listChildren(
    { service, tenant, name }: OperationKey,
    limit: number,
  ): Promise<readonly ChildSummary[]> {
    const rows = await this.#database.rows<ChildRow>(listChildren, [tenant, service, name, limit]);
    return rows.map(rowToChild);
  }

  async #readMany(keys: readonly OperationKey[]): Promise<(StoredOperation | undefined)[]> {
    const [only] = keys;
    // The usual case on a quiet server, and a third cheaper than a list of one.
    if (only && keys.length === 1) {
      const [row] = await this.#database.rows<StoredRow>(getOne, keyValues(only));
      return [row && rowToStoredOperation(row)];
    }
    const parts: Promise<(StoredOperation | undefined)[]>[] = [];
    for (let at = 0; at < keys.length; at += KEYS_MAX)
      parts.push(this.#readSome(keys.slice(at, at + KEYS_MAX)));
    return (await Promise.all(parts)).flat();
  }

  async #readSome(keys: readonly OperationKey[]): Promise<(StoredOperation | undefined)[]> {
    const columns = [
      keys.map(({ service }) => service),
      keys.map(({ tenant }) => tenant),
      keys.map(({ name }) => name),
    ];
    const rows = await this.#database.rows<[number, ...StoredRow]>(getMany, columns);
    const found: (StoredOperation | undefined)[] = keys.map(() => undefined);
    for (const [place, ...row] of rows) found[place - 1] = rowToStoredOperation(row);
    return found;
  }
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
