// The search for what the acquires of one batch may grant, as questions to the database: see pending-search.ts for the SQL.
import type { Instant } from "../../base/clock.ts";
import type { AcquireCommand, Command } from "../../engine/commands.ts";
import type { OperationRecord } from "../../engine/operation.ts";
import { type SlotGroup, SlotRoom } from "../slot-room.ts";
import * as statements from "./pending-search.ts";
import type { Rows, Step } from "./postgres-burst.ts";
import { columnArray } from "./postgres-values.ts";
import type { BindValue, ColumnValue, Statement } from "./queryable.ts";

/** Rows that are looked through in order before groups are. */
const ROWS_FIRST = 200;

/** Commands that may take the operation they name away from an acquire. */
const TAKERS: ReadonlySet<Command["type"]> = new Set(["cancel", "delete", "assign", "tick"]);

interface Question {
  step: Step;
  take(rows: Rows): void;
}

export class PendingPool {
  readonly #now: Instant;
  #types: string[] = [];
  #wanted = 0;
  #found: (readonly ColumnValue[])[] = [];
  #more: Question[] = [];
  /** Those with limits, in order; `isCut`: there are more behind them. */
  #undecided: { candidates: readonly statements.CandidateRow[]; isCut: boolean } | null = null;

  /** Operations of the batch that may free a slot, or not take the one that is counted for them. */
  readonly #loosened: () => readonly OperationRecord[];

  /** `now`: what is due by then. `loosened` is asked when all that the batch names is loaded. */
  constructor(now: Instant, loosened: () => readonly OperationRecord[]) {
    this.#now = now;
    this.#loosened = loosened;
  }

  /**
   * The first questions; none without an acquire that looks for any. `targets`: how many operations the batch touches that it does not name, each
   * of which may be one that an acquire would have taken.
   */
  steps(commands: readonly Command[], targets: number): Question[] {
    const acquires = commands.filter(
      (command): command is AcquireCommand => command.type === "acquire" && !command.onlyStarted,
    );
    this.#types = [...new Set(acquires.flatMap(({ types }) => types))].sort();
    if (this.#types.length === 0) return [];
    // One more for each command that may take one away: a session that gets fewer than it asked for believes that there
    // is no more.
    const takers = commands.filter(({ type }) => TAKERS.has(type)).length;
    this.#wanted = acquires.reduce((sum, { limit }) => sum + limit, 0) + takers + targets;
    const values = [columnArray("text", this.#types), this.#now, this.#wanted];
    const rows = Math.max(ROWS_FIRST, 2 * this.#wanted);
    return [
      ask(this.#types.length === 1 ? statements.freeOfType : statements.freeOfTypes, values, (found) =>
        this.#found.push(...found),
      ),
      ask(statements.limitedInOrder, [values[0] ?? null, this.#now, rows], (found) => {
        const candidates = found as unknown as statements.CandidateRow[];
        this.#undecided = { candidates, isCut: found.length === rows };
      }),
    ];
  }

  /** What the last answers have made a question of. */
  moreSteps(): Question[] {
    return this.#more.splice(0);
  }

  /**
   * Those that lock what there is room for, once all else of the batch is loaded: what it names, and parents of that, may free
   * a slot.
   */
  lastSteps(): Question[] {
    const undecided = this.#undecided;
    this.#undecided = null;
    if (undecided) this.#choose(undecided.candidates, undecided.isCut);
    return this.moreSteps();
  }

  /** OperationRows with versions, locked, each told once. */
  takeFound(): (readonly ColumnValue[])[] {
    return this.#found.splice(0);
  }

  /** Of candidates in order, those for which there is room. */
  #choose(candidates: readonly statements.CandidateRow[], isCut: boolean): void {
    const loosened = this.#loosened();
    const chosen = this.#withRoom(candidates, loosened);
    if (chosen.length < this.#wanted + loosened.length && isCut) {
      const all: statements.CandidateRow[] = [];
      const last = this.#types.at(-1);
      for (const type of this.#types) {
        const values = [type, this.#now, this.#wanted + loosened.length, loosened.length];
        this.#more.push(
          ask(statements.limitedByGroup, values, (rows) => {
            all.push(...(rows as unknown as statements.CandidateRow[]));
            if (type === last) this.#lock(this.#withRoom(all.toSorted(byOrder), loosened));
          }),
        );
      }
    } else this.#lock(chosen);
  }

  #withRoom(
    candidates: readonly statements.CandidateRow[],
    loosened: readonly OperationRecord[],
  ): statements.CandidateRow[] {
    const used = new Map<string, number>();
    const room = new SlotRoom((text) => used.get(text) ?? 0);
    for (const { policy, ...record } of loosened) room.loosen({ ...record, ...policy });
    const chosen: statements.CandidateRow[] = [];
    for (const row of candidates) {
      if (chosen.length === this.#wanted + loosened.length) break;
      const [service, tenant, , type, , , concurrencyKey, typeLimit, keyLimit, typeUsed, keyUsed] = row;
      const group: SlotGroup = { service, tenant, type, typeLimit, concurrencyKey, keyLimit };
      used.set(`${service}\n${tenant}\n${type}\n`, typeUsed);
      if (concurrencyKey !== "") used.set(`${service}\n${tenant}\n${type}\n${concurrencyKey}`, keyUsed);
      if (room.free(group) <= 0) continue;
      room.take(group);
      chosen.push(row);
    }
    return chosen;
  }

  #lock(chosen: readonly statements.CandidateRow[]): void {
    if (chosen.length === 0) return;
    const sorted = chosen.toSorted((a, b) => (keyOfRow(a) < keyOfRow(b) ? -1 : 1));
    const values: BindValue[] = [0, 1, 2].map((place) =>
      columnArray(
        "text",
        sorted.map((row) => row[place] ?? ""),
      ),
    );
    this.#more.push(
      ask(statements.lockCandidates, [...values, this.#now], (rows) => this.#found.push(...rows)),
    );
  }
}

function keyOfRow([service, tenant, name]: statements.CandidateRow): string {
  return `${service}\n${tenant}\n${name}`;
}

function byOrder(a: statements.CandidateRow, b: statements.CandidateRow): number {
  return b[4] - a[4] || a[5] - b[5];
}

function ask(statement: Statement, values: readonly BindValue[], take: (rows: Rows) => void): Question {
  return { step: { statement, values }, take };
}
