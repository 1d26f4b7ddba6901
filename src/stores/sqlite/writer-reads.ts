// Small reads that the writer's connection answers itself: what a server asks when it starts and now and then, before
// any reader's thread is needed. None of them looks at more than what is live.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Clock, Instant } from "../../base/clock.ts";
import type { OperationPolicy, OperationState } from "../../engine/operation.ts";
import type { DeclaredType, LiveCounts, OpenSession, PendingWork } from "../../engine/store.ts";
import { type GrantRow, type OpenSessionRow, rowToOpenSession } from "../detail-rows.ts";
import { allRows, getRow, prepareRows } from "./database.ts";
import { StartWalk } from "./start-walk.ts";
import * as statements from "./statements.ts";
import type { KeyParts } from "./thread-messages.ts";

type LiveCountRow = [service: string, type: string, state: string, count: number];

/** Prepared once per connection. */
export class WriterReads {
  readonly #clock: Clock;
  readonly #walks: readonly StartWalk[];
  readonly #pendingWork: StatementSync;
  readonly #listSessions: StatementSync;
  readonly #sessionGrants: StatementSync;
  readonly #liveCounts: StatementSync;
  readonly #heldCount: StatementSync;
  readonly #stoppingOperations: StatementSync;
  readonly #listTypes: StatementSync;

  constructor(database: DatabaseSync, clock: Clock) {
    this.#clock = clock;
    this.#walks = [
      new StartWalk(database, "operations_start"),
      new StartWalk(database, "operations_start_limited"),
    ];
    this.#pendingWork = prepareRows(database, statements.pendingWork);
    this.#listSessions = prepareRows(database, statements.listSessions);
    this.#sessionGrants = prepareRows(database, statements.sessionGrants);
    this.#liveCounts = prepareRows(database, statements.liveCounts);
    this.#heldCount = prepareRows(database, statements.heldCount);
    this.#stoppingOperations = prepareRows(database, statements.stoppingOperations);
    this.#listTypes = prepareRows(database, statements.listTypes);
  }

  pendingWork(): PendingWork {
    const row = getRow<[Instant | null, Instant | null, number]>(this.#pendingWork);
    const [nextTimer, nextLeaseEnd, unswept] = row ?? [null, null, 0];
    const starts = this.#walks.flatMap((walk) =>
      [...walk.types()].flatMap((type) =>
        [...walk.services(type)].map(({ service }) => walk.earliestStart(type, service)),
      ),
    );
    return { nextTimer, nextStart: earliest(starts), nextLeaseEnd, hasUnsweptChildren: unswept === 1 };
  }

  listSessions(): OpenSession[] {
    return allRows<OpenSessionRow>(this.#listSessions).map(rowToOpenSession);
  }

  sessionGrants(session: string): GrantRow[] {
    return allRows<GrantRow>(this.#sessionGrants, session);
  }

  liveCounts(): LiveCounts[] {
    const now = this.#clock.now();
    return allRows<LiveCountRow>(this.#liveCounts).map(([service, type, state, count]) => {
      const start = state === "PENDING" ? this.#earliestStart(service, type) : null;
      const oldestStart = start !== null && start <= now ? start : null;
      return { service, type, state: state as OperationState, count, oldestStart };
    });
  }

  heldCount(): number {
    return getRow<[number]>(this.#heldCount)?.[0] ?? 0;
  }

  stoppingOperations(type: string, limit: number): KeyParts[] {
    return allRows<KeyParts>(this.#stoppingOperations, type, limit);
  }

  #earliestStart(service: string, type: string): Instant | null {
    return earliest(this.#walks.map((walk) => walk.earliestStart(type, service)));
  }

  listTypes(): DeclaredType[] {
    return allRows<[string, string]>(this.#listTypes).map(([type, policy]) => ({
      type,
      policy: JSON.parse(policy) as OperationPolicy,
    }));
  }
}

function earliest(instants: readonly (Instant | null)[]): Instant | null {
  const known = instants.filter((instant) => instant !== null);
  return known.length === 0 ? null : Math.min(...known);
}
