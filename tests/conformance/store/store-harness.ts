// What a store brings to be exercised, and the small world that a test lives in: its own tenant, type and session, so
// that the tests of one file share a store without seeing each other.
import assert from "node:assert/strict";
import { randomBase36 } from "../../../src/base/random.ts";
import type {
  AcquireCommand,
  CancelCommand,
  Command,
  CommandOutcome,
  CompleteCommand,
  FailCommand,
  Grant,
  OpenSessionCommand,
  StartCommand,
} from "../../../src/engine/commands.ts";
import type {
  OperationKey,
  OperationRecord,
  OperationState,
  Payload,
  StoredOperation,
} from "../../../src/engine/operation.ts";
import type { CommitFailure, CommitResult, ListPage, ListQuery, Store } from "../../../src/engine/store.ts";

/** A row of the feed, as far as every store has it. */
export interface FeedRow {
  position: number;
  name: string;
  revision: number;
  state: OperationState;
}

export interface AuditRow {
  name: string;
  action: string;
  principal: string;
  origin: string;
  reason: string;
  revisionBefore: number;
  revisionAfter: number;
}

/** A store under test with its clock, and a look behind the port at what has no reader there yet. */
export interface StoreHarness {
  readonly store: Store;
  /** Moves the store's clock on. */
  advance(milliseconds: number): void;
  /** Closes the store and opens it again. */
  reopen(): Promise<void>;
  /** The feed of a tenant, in the order of positions. */
  feed(tenant: string): Promise<readonly FeedRow[]>;
  audit(tenant: string): Promise<readonly AuditRow[]>;
  dispose(): Promise<void>;
}

/** Makes an empty store. */
export type StoreFactory = () => Promise<StoreHarness>;

export const SECOND = 1000;
export const DAY = 24 * 3600 * SECOND;

export const policy: StartCommand["policy"] = {
  cancel: { cancellable: true, graceMs: 10_000, criticalMs: 0, cleanupMs: 0, killMs: 5000 },
  maxAttempts: 1,
  backoffMs: 1000,
  backoffMaxMs: 60_000,
  attemptTimeoutMs: 3_600_000,
  stallTimeoutMs: 0,
  retentionMs: 30 * DAY,
  onDelete: "keep",
  typeLimit: 0,
  keyLimit: 0,
  unwatchedMs: 0,
};

export function payload(text: string): Payload {
  return { typeUrl: "type.googleapis.com/google.protobuf.Struct", bytes: new TextEncoder().encode(text) };
}

type Outcome = CommandOutcome | CommitFailure;

/** Asserts an outcome's type and gives it that type. */
export function expectOutcome<T extends Outcome["type"]>(
  outcome: Outcome | undefined,
  type: T,
): Extract<Outcome, { type: T }> {
  assert.equal(outcome?.type, type, JSON.stringify(outcome));
  return outcome as Extract<Outcome, { type: T }>;
}

export function expectRefused(outcome: Outcome | undefined, reason: string): void {
  assert.equal(expectOutcome(outcome, "refused").reason, reason);
}

let worlds = 0;

/** One test's tenant, type and session in a store that others use too. */
export class World {
  readonly harness: StoreHarness;
  readonly service = "default";
  readonly tenant: string;
  readonly type: string;
  readonly session: string;

  /** `twin`: a world of another store, which this one is named after. */
  constructor(harness: StoreHarness, twin?: World) {
    if (!twin) worlds++;
    this.harness = harness;
    this.tenant = twin?.tenant ?? `tenant-${worlds}`;
    this.type = twin?.type ?? `test.type-${worlds}`;
    this.session = twin?.session ?? `ses-${worlds}`;
  }

  /** The types of all worlds so far. */
  static types(): string[] {
    return Array.from({ length: worlds }, (_, index) => `test.type-${index + 1}`);
  }

  get store(): Store {
    return this.harness.store;
  }

  start(changes: Partial<StartCommand> & { name?: string } = {}): StartCommand {
    const { name, ...rest } = changes;
    const id = `opr${randomBase36(17)}`;
    const parent = rest.parent ?? "";
    const key = {
      service: this.service,
      tenant: this.tenant,
      name: name ?? `${parent}${parent && "/"}operations/${id}`,
    };
    return {
      type: "start",
      key,
      id,
      parent,
      operationType: this.type,
      createdBy: "user:ada",
      origin: "native/grpc",
      description: "",
      labels: {},
      policy,
      startAfter: 0,
      deadline: null,
      priority: 0,
      concurrencyKey: "",
      supersedeKey: "",
      rerunOf: "",
      parentAttempt: null,
      shared: false,
      request: payload("request"),
      metadata: null,
      requestKey: null,
      ...rest,
    };
  }

  cancel(key: OperationKey, changes: Partial<CancelCommand> = {}): CancelCommand {
    const by = { cause: "cancel", requestedBy: "user:bob", onBehalfOf: "", requestId: "req-1" } as const;
    const how = { force: false, ifRevision: null, graceMs: null, includeDeleted: false };
    const why = { reason: "enough", origin: "google/grpc" };
    return { type: "cancel", key: keyOf(key), ...by, ...why, ...how, ...changes };
  }

  delete(key: OperationKey): Command {
    return { type: "delete", key: keyOf(key), requestedBy: "user:bob", origin: "google/rest" };
  }

  acquire(limit: number, changes: Partial<AcquireCommand> = {}): AcquireCommand {
    const { type, session } = this;
    return { type: "acquire", session, types: [type], limit, guarded: true, begin: true, ...changes };
  }

  openSession(session = this.session, changes: Partial<OpenSessionCommand> = {}): Command {
    const worker = {
      kind: "embedded",
      worker: "w",
      build: "",
      principal: "",
      types: [this.type],
      slots: 4,
    } as const;
    return {
      type: "openSession",
      session,
      ...worker,
      guarded: true,
      bootId: "boot",
      leaseMs: 0,
      ...changes,
    };
  }

  complete(grant: Grant, changes: Partial<CompleteCommand> = {}): CompleteCommand {
    return { type: "complete", ...fencedBy(grant), response: payload("response"), digest: "d1", ...changes };
  }

  fail(grant: Grant, changes: Partial<FailCommand> = {}): FailCommand {
    const error = { code: 13, message: "it broke", details: [payload("detail")] };
    const end = { evidence: "HANDLER_STOPPED", mechanism: "NONE" } as const;
    const flags = { retryable: false, abortCaused: false };
    return { type: "fail", ...fencedBy(grant), error, ...flags, ...end, digest: "d2", ...changes };
  }

  stopped(grant: Grant): Command {
    return { type: "stopped", ...fencedBy(grant), evidence: "HANDLER_STOPPED", mechanism: "SIGNAL" };
  }

  commit(...commands: Command[]): Promise<CommitResult> {
    return this.store.commit(commands);
  }

  /** Commits one command and answers its outcome. */
  async run(command: Command): Promise<Outcome> {
    const { outcomes } = await this.store.commit([command]);
    assert.equal(outcomes.length, 1);
    return outcomes[0]!;
  }

  /** Starts an operation and answers its record. */
  async started(changes: Partial<StartCommand> & { name?: string } = {}): Promise<OperationRecord> {
    return expectOutcome(await this.run(this.start(changes)), "operation").record;
  }

  /** Starts an operation and has a session run it. */
  async running(changes: Partial<StartCommand> & { name?: string } = {}): Promise<Grant> {
    await this.commit(this.openSession(), this.start(changes));
    const { grants } = expectOutcome(await this.run(this.acquire(1)), "granted");
    assert.equal(grants.length, 1);
    return grants[0]!;
  }

  /** Starts an operation and brings it to SUCCEEDED. */
  async done(changes: Partial<StartCommand> & { name?: string } = {}): Promise<OperationRecord> {
    return expectOutcome(await this.run(this.complete(await this.running(changes))), "operation").record;
  }

  async get(key: OperationKey): Promise<StoredOperation> {
    const stored = await this.store.getOperation(keyOf(key));
    assert(stored, `${key.name} is stored`);
    return stored;
  }

  query(changes: Partial<ListQuery> = {}): ListQuery {
    const { service, tenant } = this;
    return { service, tenant, parent: "", filter: "", pageSize: 100, pageToken: "", ...changes };
  }

  /** All pages of a list. */
  async pages(changes: Partial<ListQuery> = {}): Promise<ListPage[]> {
    const pages = [await this.store.listOperations(this.query(changes))];
    for (let token = pages[0]!.nextPageToken; token !== ""; token = pages.at(-1)!.nextPageToken) {
      pages.push(await this.store.listOperations(this.query({ ...changes, pageToken: token })));
    }
    return pages;
  }

  /** The names of a whole list. */
  async names(changes: Partial<ListQuery> = {}): Promise<string[]> {
    const pages = await this.pages(changes);
    return pages.flatMap((page) => page.operations.map(({ record }) => record.name));
  }
}

export function keyOf({ service, tenant, name }: OperationKey): OperationKey {
  return { service, tenant, name };
}

export function fencedBy({ record }: Grant): { key: OperationKey; session: string; token: number } {
  return { key: keyOf(record), session: record.lease?.session ?? "", token: record.leaseToken };
}
