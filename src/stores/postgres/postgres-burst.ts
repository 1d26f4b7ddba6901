// Several statements in one round trip: all are sent behind each other with one Sync at the end, and the first that fails
// skips the rest. Without a BEGIN they are one transaction by themselves, which the Sync commits (manual, "Pipelining"
// of the message flow). Rows come as text and are read by their columns' types.
import type { Connection, Submittable } from "pg";
import { type Decode, decoderOf, toWire } from "./postgres-values.ts";
import type { BindValue, ColumnValue, Statement } from "./queryable.ts";

export interface Step {
  statement: Statement;
  values?: readonly BindValue[];
}

export type Rows = ColumnValue[][];

/** A statement that a connection has prepared: how its columns are read. */
interface Prepared {
  text: string;
  columns: Decode[];
}

/** What one connection has prepared, by the statement's name. */
export class PreparedStatements {
  readonly #known = new Map<string, Prepared>();
  /** Names that the server may know although nothing is known here: closed before they are used again. */
  readonly #doubtful = new Set<string>();
  /** False: a pooler takes connections apart from their statements, so none is kept. */
  isKept = true;

  find({ name, text }: Statement): Prepared | undefined {
    const known = this.#known.get(name);
    if (known !== undefined && known.text !== text)
      throw new Error(`the statement name ${name} is used for two texts`);
    return known;
  }

  add({ name, text }: Statement): { prepared: Prepared; isDoubtful: boolean } {
    const prepared = { text, columns: [] };
    this.#known.set(name, prepared);
    return { prepared, isDoubtful: this.#doubtful.delete(name) };
  }

  doubt(name: string): void {
    if (this.#known.delete(name)) this.#doubtful.add(name);
  }
}

/** The messages that pg's own connection writes; its types lag behind it. */
interface Wire {
  stream: { cork(): void; uncork(): void };
  parse(message: { name: string; text: string }): void;
  describe(message: { type: "S"; name: string }): void;
  close(message: { type: "S"; name: string }): void;
  bind(message: { statement: string; values: readonly unknown[] }): void;
  execute(message: null): void;
  sync(): void;
}

/** Given to a pg client's `query`; calls `done` or `failed` once. */
export class Burst implements Submittable {
  /** True once anything was written: from then on the server may have done all of it. */
  isSent = false;
  readonly #steps: readonly Step[];
  readonly #prepared: PreparedStatements;
  readonly #done: (results: Rows[]) => void;
  readonly #failed: (error: unknown) => void;
  readonly #results: Rows[] = [];
  readonly #columns: Prepared[] = [];
  readonly #added: string[] = [];
  #at = 0;
  #rows: Rows = [];
  #problem: unknown = null;

  constructor(
    steps: readonly Step[],
    prepared: PreparedStatements,
    done: (results: Rows[]) => void,
    failed: (error: unknown) => void,
  ) {
    this.#steps = steps;
    this.#prepared = prepared;
    this.#done = done;
    this.#failed = failed;
  }

  submit(connection: Connection): void {
    const wire = connection as unknown as Wire;
    // Encoded before anything is written: a value that cannot be bound must not leave half a burst on the wire.
    const bound = this.#steps.map(({ values = [] }) => values.map(toWire));
    this.isSent = true;
    wire.stream.cork();
    for (const [index, { statement }] of this.#steps.entries()) {
      const name = this.#prepare(wire, statement);
      wire.bind({ statement: name, values: bound[index] ?? [] });
      wire.execute(null);
    }
    wire.sync();
    wire.stream.uncork();
  }

  #prepare(wire: Wire, statement: Statement): string {
    const isKept = this.#prepared.isKept && statement.name !== "";
    const known = isKept ? this.#prepared.find(statement) : undefined;
    const name = isKept ? statement.name : "";
    if (known) this.#columns.push(known);
    else {
      const { prepared, isDoubtful } = isKept
        ? this.#prepared.add(statement)
        : { prepared: { text: statement.text, columns: [] }, isDoubtful: false };
      this.#columns.push(prepared);
      if (isKept) this.#added.push(name);
      if (isDoubtful) wire.close({ type: "S", name });
      wire.parse({ name, text: statement.text });
      // The columns of the statement, not of each portal: they are told once.
      wire.describe({ type: "S", name });
    }
    return name;
  }

  handleRowDescription({ fields }: { fields: readonly { dataTypeID: number }[] }): void {
    const prepared = this.#columns[this.#at];
    if (prepared) prepared.columns = fields.map(({ dataTypeID }) => decoderOf(dataTypeID));
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    const columns = this.#columns[this.#at]?.columns ?? [];
    try {
      this.#rows.push(fields.map((text, index) => (text === null ? null : (columns[index]?.(text) ?? text))));
    } catch (error) {
      this.#problem ??= error;
    }
  }

  handleCommandComplete({ text }: { text?: string }): void {
    const statement = this.#steps[this.#at]?.statement.text;
    // COMMIT of a transaction that had failed answers ROLLBACK, and is no error.
    if (statement === "COMMIT" && text === "ROLLBACK")
      this.#problem ??= new Error("the transaction was rolled back");
    this.#results.push(this.#rows);
    this.#rows = [];
    this.#at++;
  }

  handleEmptyQuery(): void {
    this.handleCommandComplete({});
  }

  handlePortalSuspended(): void {}

  handleReadyForQuery(): void {
    if (this.#problem !== null) this.#failed(this.#problem);
    else this.#done(this.#results);
  }

  handleError(error: unknown): void {
    // What came behind the failed statement was skipped; it may itself be prepared or not.
    for (const name of this.#added) this.#prepared.doubt(name);
    this.#failed(error);
  }
}
